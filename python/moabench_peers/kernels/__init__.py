"""Kernels beside PyTorch's in one process: same tensors, same stream, CUDA events. moabench says what is timed.

`python -m moabench_peers.kernels` is a peer (worker.py); src/peers/kernel-protocol.ts has its requests.
"""

"""Kernels beside PyTorch's in one process: same tensors, same stream, CUDA events; what is timed and in which order moabench says.

`python -m moabench_peers.kernels` is a peer (worker.py); src/peers/kernel-protocol.ts has its requests.
"""

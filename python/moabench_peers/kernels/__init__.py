"""Our kernels beside PyTorch's in one process: same tensors, same stream, CUDA events. moabench decides what is timed.

`python -m moabench_peers.kernels` runs as a peer (worker.py); src/peers/kernel-protocol.ts defines its requests.
"""

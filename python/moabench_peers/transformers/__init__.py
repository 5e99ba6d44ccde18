"""The peer `transformers`: Hugging Face's models on PyTorch. `python -m moabench_peers.transformers` starts it."""

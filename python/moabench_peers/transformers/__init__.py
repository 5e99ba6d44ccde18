"""The peer `transformers`: Hugging Face's models over PyTorch. Started as python -m moabench_peers.transformers."""

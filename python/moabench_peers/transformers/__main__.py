"""Answers `load` {model, threads} and `generate` {tokens, newTokens}, on the CPU in float32 with SDPA and DynamicCache."""

import platform
import time

import torch
import transformers

from ..worker import serve


class Engine:
    def __init__(self):
        self.model = None

    def describe(self) -> dict:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        return {
            "versions": {"python": platform.python_version(), **versions},
            "device": {"name": platform.processor() or platform.machine()},
        }

    def load(self, request: dict) -> dict:
        torch.set_num_threads(request["threads"])
        options = {"dtype": torch.float32, "attn_implementation": "sdpa"}
        self.model = transformers.AutoModelForCausalLM.from_pretrained(request["model"], **options).eval()
        return {"threads": torch.get_num_threads()}

    def generate(self, request: dict) -> dict:
        """Times of a prefill up to the first token and of newTokens greedy steps after it, and all newTokens + 1 tokens."""
        with torch.inference_mode():
            ids = torch.tensor([request["tokens"]])
            start = time.perf_counter()
            out = self.model(input_ids=ids, use_cache=True, logits_to_keep=1)
            following = out.logits[:, -1:].argmax(-1)
            prefill_ms = (time.perf_counter() - start) * 1e3
            answer = [following.item()]
            start = time.perf_counter()
            for _ in range(request["newTokens"]):
                cache = out.past_key_values
                out = self.model(input_ids=following, past_key_values=cache, use_cache=True, logits_to_keep=1)
                following = out.logits[:, -1:].argmax(-1)
                answer.append(following.item())
            decode_ms = (time.perf_counter() - start) * 1e3
        return {"prefillMs": prefill_ms, "decodeMs": decode_ms, "tokens": answer}


if __name__ == "__main__":
    engine = Engine()
    serve("transformers", engine.describe, {"load": engine.load, "generate": engine.generate})

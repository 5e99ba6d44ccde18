"""The peer of versus-pytorch.ts: transformers on the CPU (float32, SDPA, DynamicCache), driven by JSON lines.

Each request {"tokens": [...], "newTokens": n} prefills and decodes greedily; the answer has prefillMs, decodeMs (n steps), tokens.
Start: python bench/pytorch_worker.py MODEL THREADS
"""
import json
import sys
import time

import torch
import transformers

torch.set_num_threads(int(sys.argv[2]))
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="sdpa").eval()
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()}), flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        request = json.loads(line)
        ids = torch.tensor([request["tokens"]])
        start = time.perf_counter()
        out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
        next_id = out.logits[:, -1:].argmax(-1)
        prefill_ms = (time.perf_counter() - start) * 1000
        answer = [next_id.item()]
        start = time.perf_counter()
        for _ in range(request["newTokens"]):
            out = model(input_ids=next_id, past_key_values=out.past_key_values, use_cache=True, logits_to_keep=1)
            next_id = out.logits[:, -1:].argmax(-1)
            answer.append(next_id.item())
        decode_ms = (time.perf_counter() - start) * 1000
        print(json.dumps({"prefillMs": prefill_ms, "decodeMs": decode_ms, "tokens": answer}), flush=True)

"""Makes test/golden/models/reference.{json,safetensors} and tokenizer.json's golden: what Hugging Face computes from models/reference.

Run it again whenever the weights change (the tests compare the sha256 of model.safetensors and say so):

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers numpy safetensors tokenizers
    /tmp/venv/bin/python scripts/golden/make_reference_goldens.py

The prompt is one LongEval lines prompt of about 1k tokens from models/reference/train/tasks.py over the corpus of corpus/extract.cjs
(run in a temporary folder with this repository's node_modules).
"""
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile

import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
MODEL, OUT = os.path.join(ROOT, "models", "reference"), os.path.join(ROOT, "test", "golden", "models")
sys.path.insert(0, os.path.join(MODEL, "train"))
import tasks  # noqa: E402 (beside the model)

NEW = 32


def corpus():
    folder = tempfile.mkdtemp()
    script = os.path.join(MODEL, "train", "corpus", "extract.cjs")
    os.symlink(os.path.join(ROOT, "node_modules"), os.path.join(folder, "node_modules"))
    with open(script) as f, open(os.path.join(folder, "extract.cjs"), "w") as g:
        g.write(f.read())
    subprocess.run(["node", "extract.cjs"], cwd=folder, check=True)
    return tasks.load(folder)


def lines_prompt(tokenizer, world, target):
    """The text up to the answer, of at most `target` tokens."""
    chars = int(target * 2.5)
    while True:
        segments = tasks.lines(world, chars, 1)
        text = "".join(s for s, _ in segments[:2])
        answer = segments[2][0]
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) <= target:
            return text, ids, answer
        chars = int(chars * 0.97)


TEXTS = [
    "", " ", "\n", "a", "Hello, world!", "<|bos|><|user|>\nHi there<|end|>\n<|assistant|>\n", "tabs\tand  double  spaces   \n\n  x",
    "line torpid-kid: REGISTER_CONTENT is <24168>\n", "3.14159 and 1,000,000 or 007", "don't we'll I'm they've he'd you're it's",
    "naïve café — “quotes” …", "日本語とEnglish 混在", "emoji 🙂👩‍👩‍👧 flag 🇳🇱", "def f(x):\n    return self.value[x]\n", "<|end|><|end|>a<|pad|>b",
    "<|endx|> <|use r|>", "ⅣⅤ ½ ٣٤٥ ²", "\u00a0nbsp\u2003em\u3000", "ALLCAPS MixedCase camelCase snake_case", "a" * 100, "e\u0301 vs \u00e9",
]


def main():
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))
    text, ids, answer = lines_prompt(tokenizer, tasks.World(corpus(), "held", 5), 1024)
    versions = dict(python=platform.python_version(), torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__)
    command = "python scripts/golden/make_reference_goldens.py"
    texts = TEXTS + [text]
    encoded = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    with open(os.path.join(OUT, "reference-tokenizer.json"), "w") as f:
        json.dump(dict(command=command, versions=versions, cases=[
            dict(text=t, ids=e, decoded=tokenizer.decode(e, skip_special_tokens=True), decodedWithSpecial=tokenizer.decode(e, skip_special_tokens=False))
            for t, e in zip(texts, encoded, strict=True)]), f, ensure_ascii=True)
    x, rows, arrays = torch.tensor([ids]), [0, len(ids) - 1], {}
    for dtype, key in ((torch.float32, "logits32"), (torch.float64, "logits64")):
        model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=dtype, attn_implementation="sdpa").eval()
        with torch.no_grad():
            arrays[key] = model(x).logits[0, rows].contiguous()
            out = model.generate(x, attention_mask=torch.ones_like(x), max_new_tokens=NEW, do_sample=False, pad_token_id=0)[0, len(ids):].tolist()
    save_file(arrays, os.path.join(OUT, "reference.safetensors"))
    with open(os.path.join(MODEL, "model.safetensors"), "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    with open(os.path.join(OUT, "reference.json"), "w") as f:
        json.dump(dict(command=command, versions=versions, weightsSha256=digest, tokens=ids, rows=rows, continuation=out,
                       continuationText=tokenizer.decode(out), expectedAnswer=answer), f)
    print(len(ids), rows, tokenizer.decode(out, skip_special_tokens=False), "|", answer)


if __name__ == "__main__":
    main()

"""Writes test/golden/models/tokenizers/: small tokenizers of the kinds that models have, with what transformers makes of prompts and answers.

python3 -m venv /tmp/venv && /tmp/venv/bin/pip install transformers tokenizers
/tmp/venv/bin/python scripts/golden/make_tokenizer_goldens.py
"""

import json
import shutil
import sys
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2] / "test/golden/models/tokenizers"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT = [
    "The harbour master wrote the number of every ship into the register of the harbour.",
    "What is the number of the ship in line 12? The number is 48213.",
    "In the morning the captain asked for the register, and the answer was short: 7.",
    "def answer(line):\n    return register[line]\n\nprint(answer(12))\n",
    "<Question> Which line holds the word? <Answer> Line 31 holds the word.",
] * 20
PAIRS = [
    ["What is the number?", " The number is 7."],
    ["What is the number?\nAnswer:", " 48213"],
    ["Answer:\n", "48213"],
    ["[INST] What is in line 12? [/INST]", " the register"],
    ["def f(x):\n    return", " x + 1\n"],
    ["The ha", "rbour"],
    ["Line 4", "8213"],
    ["   spaces", "   and more"],
    ["é 汉字 🙂", " ça 汉"],
]


def sentence_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=640, special_tokens=special, show_progress=False))
    fields = json.loads(tokenizer.to_str())
    # bytes are plain tokens, as in Llama's files
    fields["added_tokens"] = [t for t in fields["added_tokens"] if t["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(fields))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated", invert=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(
            vocab_size=560,
            special_tokens=["<|begin|>", "<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def begins_with(bos: str, bos_id: int):
    return processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, bos_id)])


def write(name: str, tokenizer: Tokenizer, config: dict, special: dict | None = None) -> None:
    folder = ROOT / name
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    base = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    (folder / "tokenizer_config.json").write_text(json.dumps({**base, **config}, indent=2) + "\n")
    if special is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    official = PreTrainedTokenizerFast.from_pretrained(str(folder))
    cases = []
    for prompt, answer in PAIRS:
        ids = official(prompt)["input_ids"]
        whole = official(prompt + answer)["input_ids"]
        # When a token spans the end of the prompt and the start of the answer, there is no official split, only the
        # rule that the prompt's tokens stay.
        answer_ids = whole[len(ids) :] if whole[: len(ids)] == ids else None
        cases.append({"prompt": prompt, "answer": answer, "promptIds": ids, "answerIds": answer_ids})
    bos = official.bos_token
    twice = None if bos is None else {"text": f"{bos}Hello", "ids": official(f"{bos}Hello", add_special_tokens=False)["input_ids"]}
    golden = {
        "command": "python scripts/golden/make_tokenizer_goldens.py",
        "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "python": sys.version.split()[0]},
        "cases": cases,
        "withBos": twice,
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    shutil.rmtree(ROOT, ignore_errors=True)

    legacy = sentence_piece()  # Llama 2, Mistral 7B: no pre-tokenizer, '▁' before every piece of text
    legacy.pre_tokenizer = None
    legacy.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    legacy.post_processor = begins_with("<s>", 1)
    write("sentencepiece-legacy", legacy, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})

    first = sentence_piece()  # newer conversions: '▁' before the first piece only
    first.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    first.post_processor = begins_with("<s>", 1)
    bos = "<s>"
    # In the second folder only special_tokens_map.json names the BOS.
    write("sentencepiece-first", first, {"bos_token": bos, "eos_token": "</s>", "unk_token": "<unk>"})
    write("bos-in-map", first, {}, {"bos_token": bos, "eos_token": "</s>", "unk_token": "<unk>"})

    llama3 = byte_level()
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), begins_with("<|begin|>", 0)])
    write("byte-level-bos", llama3, {"bos_token": "<|begin|>", "eos_token": "<|end|>"})

    qwen = byte_level()
    qwen.post_processor = processors.ByteLevel(trim_offsets=False)
    write("byte-level-plain", qwen, {"add_bos_token": False, "bos_token": None, "eos_token": "<|end|>"})


main()

"""Makes test/fixtures/tokenizers/<kind>.json: small tokenizers of the kinds that real models have, trained on the public-domain prose of node_modules.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers
    /tmp/venv/bin/python scripts/golden/make_small_tokenizers.py

sentencepiece-bpe: as Llama 2 and Mistral (a blank before the text, blanks as U+2581, bytes as fallback). byte-level-bpe: as Llama 3 (digits by
threes, a mark takes the newlines behind it). unigram: as T5 (blanks as U+2581). wordpiece: as BERT (lower case, white space dropped).
"""
import gzip
import json
import os
import random

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
OUT = os.path.join(ROOT, "test", "fixtures", "tokenizers")
VOCAB = 1500
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def corpus():
    base = os.path.join(ROOT, "node_modules", "@stdlib")
    texts = []
    for package in ("datasets-moby-dick", "datasets-sotu"):
        for folder, _, files in sorted(os.walk(os.path.join(base, package, "data"))):
            for name in sorted(files):
                if name.endswith((".txt", ".json")):
                    with open(os.path.join(folder, name), encoding="utf8") as f:
                        texts.append(f.read())
    text = "\n".join(texts)[:1_500_000].split("\n")
    rng = random.Random(3)
    # Every digit, mark and letter occurs, so that each has a token.
    return text + [f"line a-b: REGISTER_CONTENT is <{rng.randint(1, 50000)}>" for _ in range(2000)] + ["[]{}()_#=\"'\\/|~`^*&%$@!?;:+-.,<>"]


def bytes_vocab(tokenizer_json):
    """The 256 byte tokens of SentencePiece's fallback, behind the special tokens."""
    model = tokenizer_json["model"]
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    rest = [p for p, _ in sorted(model["vocab"].items(), key=lambda item: item[1]) if p not in pieces]
    model["vocab"] = {p: i for i, p in enumerate(pieces + rest)}
    model.update({"unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True})
    return tokenizer_json


def sentencepiece_bpe():
    # It is trained word by word but used on whole texts, like the converted files of Llama 2.
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    t.pre_tokenizer = None
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return bytes_vocab(json.loads(t.to_str()))


def byte_level_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA_3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator(corpus(), trainer)
    return json.loads(t.to_str())


def unigram():
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=VOCAB, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False))
    return json.loads(t.to_str())


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=VOCAB, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    return json.loads(t.to_str())


os.makedirs(OUT, exist_ok=True)
for name, make in (("sentencepiece-bpe", sentencepiece_bpe), ("byte-level-bpe", byte_level_bpe), ("unigram", unigram), ("wordpiece", wordpiece)):
    text = json.dumps(make(), ensure_ascii=False) + "\n"
    if name == "sentencepiece-bpe":  # a test names this file as a model's own
        with open(os.path.join(OUT, f"{name}.json"), "w", encoding="utf8") as f:
            f.write(text)
    else:
        with open(os.path.join(OUT, f"{name}.json.gz"), "wb") as f:
            f.write(gzip.compress(text.encode("utf8"), 9, mtime=0))

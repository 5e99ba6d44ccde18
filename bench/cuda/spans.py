"""Spans (slots per KV head: sink + window, whole blocks of 64 tokens) of published plans and made-up ones.

The arithmetic is that of src/plan/spans.ts and src/plan/import.ts with `group: max`.
"""

import json
import math
import pathlib

import numpy as np

PLANS = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "plans"
BLOCK = 64
SINK = 64


def ceil_to_block(tokens: int) -> int:
    return -(-tokens // BLOCK) * BLOCK


def span_of_rule(alpha: float, beta: float, tokens: int) -> int:
    """alpha + beta N truncated, within [128, N], in whole blocks, and no more than N needs."""
    span = max(min(math.trunc(alpha + beta * tokens), tokens), SINK + BLOCK)
    return min(ceil_to_block(span), ceil_to_block(tokens))


def plan_spans(name: str, tokens: int, kv_heads: int | None = None) -> np.ndarray:
    """int32 [layers, kv_heads] at N = `tokens` from the plan file `<name>.moa.json`.

    Rules are per query head; query heads that share a KV head take the largest of their spans.
    """
    plan = json.loads((PLANS / f"{name}.moa.json").read_text())
    spans = np.array(
        [
            [span_of_rule(a, b, tokens) for a, b in zip(alphas, betas, strict=True)]
            for alphas, betas in zip(plan["alphas"], plan["betas"], strict=True)
        ],
        np.int32,
    )
    if kv_heads is None:
        return spans
    layers, heads = spans.shape
    return spans.reshape(layers, kv_heads, heads // kv_heads).max(axis=2)


def uniform_of_equal_bytes(spans: np.ndarray) -> np.ndarray:
    """[..., heads] -> the same shape, each row's blocks dealt out evenly: rows keep their sum."""
    blocks = spans.sum(axis=-1, keepdims=True) // BLOCK
    heads = spans.shape[-1]
    extra = np.arange(heads) < blocks % heads
    return ((blocks // heads + extra) * BLOCK).astype(np.int32)


def resampled(row: np.ndarray, heads: int) -> np.ndarray:
    """`heads` spans with the distribution of `row`, largest first."""
    ordered = np.sort(row)[::-1]
    return ordered[(np.arange(heads) * row.size + row.size // 2) // heads]


def most_skewed_layer(spans: np.ndarray) -> int:
    """The layer whose longest head exceeds its mean the most."""
    return int((spans.max(axis=1) / spans.mean(axis=1)).argmax())


def median_layer(spans: np.ndarray) -> int:
    """The layer in the middle by bytes."""
    return int(np.argsort(spans.sum(axis=1), kind="stable")[spans.shape[0] // 2])


def visible_pairs(spans: np.ndarray, tokens: int) -> np.ndarray:
    """Visible (query, key) pairs of a causal prefill of `tokens` per head: sum over i of min(i + 1, span)."""
    span = np.minimum(spans.astype(np.int64), tokens)
    return span * (span + 1) // 2 + (tokens - span) * span


def causal_pairs(tokens: int) -> int:
    return tokens * (tokens + 1) // 2


def live_tiles(span: int, tokens: int, rows: int = 128, keys: int = 128, sink: int = SINK) -> tuple[int, int]:
    """Tiles of rows x keys with a visible pair for one head, and for dense causal."""
    window = span - sink
    first_row = np.arange(0, tokens, rows)[:, None]
    last_row = np.minimum(first_row + rows, tokens) - 1
    first_key = np.arange(0, tokens, keys)[None, :]
    last_key = np.minimum(first_key + keys, tokens) - 1
    causal = first_key <= last_row
    near = np.maximum(first_row - last_key, 0) < window
    return int((causal & ((first_key < sink) | near)).sum()), int(causal.sum())


def live_fractions(spans: np.ndarray, tokens: int) -> dict[str, float]:
    """Of dense causal work, over all heads: visible pairs, and tiles of 128 x 128 and 128 x 64."""
    heads = spans.ravel()
    fractions = {"pairs": float(visible_pairs(heads, tokens).mean() / causal_pairs(tokens))}
    for keys in (128, 64):
        counts = {int(span): live_tiles(int(span), tokens, 128, keys) for span in np.unique(heads)}
        live, dense = (sum(counts[int(span)][i] for span in heads) for i in (0, 1))
        fractions[f"tiles_128x{keys}"] = live / dense
    return fractions

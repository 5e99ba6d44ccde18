"""Decode over batch, group, head dim and kinds of spans: one compact table, ours alone."""

import numpy as np

from bench import Bench
from decode import VICUNA_7B, make_step
from spans import most_skewed_layer, plan_spans, resampled
from timing import Case, rotations_for

HEADS, TOKENS, LONG = 32, 8192, 32768
BATCHES, GROUPS, HEAD_DIMS = (1, 8, 32, 100), (1, 4, 8), (128, 64)
MAX_TABLE_ENTRIES = 1 << 19  # sequences x layers x KV heads: bounds the host's work for tiny shapes


def kinds_of_spans(bench: Bench, kv_heads: int) -> dict[str, tuple[np.ndarray, int]]:
    """name -> spans [kv_heads] and the tokens seen."""
    tokens, long = bench.tokens(TOKENS), bench.tokens(LONG)
    plan = plan_spans(VICUNA_7B, tokens)
    one_long = np.full(kv_heads, 128)
    one_long[kv_heads // 2] = long
    return {
        "uniform 8k": (np.full(kv_heads, tokens), tokens),
        "half": (np.full(kv_heads, max(tokens // 2, 128)), tokens),
        "MoA skew": (resampled(plan[most_skewed_layer(plan)], kv_heads), tokens),
        "one 32k, rest 128": (one_long, long),
    }


def sweep(bench: Bench) -> None:
    """Adds the table as it grows, so that what was measured is kept should the rest fail."""
    ceiling = bench.record.ceiling("read")
    title = "decode sweep: time, share of the read ceiling; 32 query heads, bf16, cold L2"
    entries: list[dict] = []
    table = {"process": bench.record.process, "title": title, "text": "", "entries": entries}
    bench.record.data.setdefault("tables", []).append(table)
    for head_dim in HEAD_DIMS:
        for group in GROUPS:
            for batch in BATCHES:
                for kind, (spans, tokens) in kinds_of_spans(bench, HEADS // group).items():
                    with bench.guard(f"d{head_dim} group {group} B{batch} {kind}"):
                        shape = (bench.batch(batch), head_dim, tokens)
                        entries.append(_measure(bench, kind, spans, group, batch, *shape))
            table["text"] = _text(entries, ceiling)
            bench.record.save()
    print(f"{title}\n{table['text']}", flush=True)


def _measure(bench: Bench, kind, spans, group, nominal, batch, head_dim, tokens) -> dict:
    bench.require(f"decode d{head_dim} group {group}")
    layer_bytes = int(spans.sum()) * batch * head_dim * 4
    turns = min(rotations_for(layer_bytes), max(MAX_TABLE_ENTRIES // (batch * spans.size), 1))
    layers = np.tile(spans.astype(np.int32), (turns, 1))
    step = make_step(bench, layers, batch, HEADS, tokens, head_dim)
    result = bench.timer.time(Case("ours", step.run, turns, bench.context), 6)
    live = step.cache.live_bytes(0)
    ms = result.timings["ours"].ms
    facts = {"head_dim": head_dim, "group": group, "batch": nominal, "kind": kind}
    return facts | {
        "bytes": live,
        "ms": ms,
        "samples_ms": result.timings["ours"].samples_ms,
        "tb_s": live / ms / 1e9,
        "mode": result.timings["ours"].mode,
    }


def _text(entries: list[dict], ceiling: float | None) -> str:
    kinds = list(dict.fromkeys(e["kind"] for e in entries))
    lines = [f"{'d':>4}{'group':>6}{'B':>4}" + "".join(f"{kind:>19}" for kind in kinds)]
    cells: dict[tuple, dict[str, str]] = {}
    for e in entries:
        share = f"{100 * e['tb_s'] / ceiling:4.0f}%" if ceiling else ""
        key = (e["head_dim"], e["group"], e["batch"])
        cells.setdefault(key, {})[e["kind"]] = f"{e['ms'] * 1e3:.1f} us{share}"
    for (head_dim, group, batch), row in cells.items():
        shown = "".join(f"{row.get(kind, '-'):>19}" for kind in kinds)
        lines.append(f"{head_dim:>4}{group:>6}{batch:>4}{shown}")
    return "\n".join(lines)

"""Decode attention: live KV bytes per second against the read ceiling, PyTorch's kernels beside it."""

import functools

import numpy as np
import torch

from attention_ops import Decode
from bench import Bench
from cache import BenchCache
from peers import add_peer, flex_decode_case, folded, sdpa_case, varlen_case
from record import target
from spans import median_layer, most_skewed_layer, plan_spans, uniform_of_equal_bytes
from timing import Case, rotations_for

HEAD_DIM = 128
SAMPLED_ERROR = 1e-2  # of bf16 outputs, as in checks.py
VICUNA_7B, VICUNA_13B = "lmsys--vicuna-7b-v1.5-16k", "lmsys--vicuna-13b-v1.5-16k"


def make_step(bench: Bench, spans: np.ndarray, batch: int, heads: int, tokens: int, head_dim=HEAD_DIM):
    """A planned step of `batch` equal sequences that have seen `tokens` tokens, the new one included.

    spans: int [layers, kv_heads]; heads as long as the sequence make a dense cache.
    """
    capacities = np.broadcast_to(spans, (batch, *spans.shape))
    lengths = np.full(batch, tokens - 1)
    windowed = bool((spans < tokens).any())
    cache = BenchCache(bench.context, bench.pool, capacities, head_dim, lengths, windowed)
    return Decode(bench, cache, heads)


def spot_check(bench: Bench, step: Decode, name: str, layer: int = 0) -> None:
    """Some heads of the timed shape itself against float64, so that splits and merges at scale are checked."""
    step.out.fill_(float("nan"))
    step.run(layer)
    rows, kv_heads = step.q.shape[0], step.cache.view.kv_heads
    places = {(i * rows // 4, (i * 7 + 1) % kv_heads) for i in range(4)} | {(rows - 1, kv_heads - 1)}
    error = float(np.max([step.error(layer, row, head) for row, head in sorted(places)]))
    if step.out.isnan().any():
        error = float("nan")
    if not bench.record.check(f"decode-at-scale {name}", error, SAMPLED_ERROR):
        raise RuntimeError(f"not timed: wrong at {name}")


def layers_case(bench: Bench, name: str, step: Decode) -> Case:
    """One call goes through all layers of the step's cache."""

    def call(_: int) -> None:
        for layer in range(step.cache.view.layers):
            step.run(layer)

    return Case(name, call, recorder=bench.context)


def dense(bench: Bench) -> None:
    """B32, 32 query heads, 8k tokens, d128; as many KV heads, a quarter, an eighth."""
    for kv_heads, limit in ((32, 0.92), (8, 0.88), (4, 0.88)):
        with bench.guard(f"kv heads {kv_heads}"):
            _dense_row(
                bench,
                f"dense B32 32/{kv_heads} 8k d128",
                bench.batch(32),
                32,
                kv_heads,
                8192,
                limit,
            )


def small(bench: Bench) -> None:
    """One long sequence: the heads alone do not fill the device."""
    for kv_heads, tokens in ((32, 32768), (8, 32768), (8, 4096)):
        with bench.guard(f"B1 {kv_heads} {tokens}"):
            _dense_row(
                bench,
                f"dense B1 32/{kv_heads} {tokens // 1024}k d128",
                1,
                32,
                kv_heads,
                tokens,
                None,
            )


def _dense_row(bench: Bench, name, batch, heads, kv_heads, tokens, limit) -> None:
    tokens, group = bench.tokens(tokens), heads // kv_heads
    bench.require(f"decode d{HEAD_DIM} group {group}")
    head_bytes = tokens * HEAD_DIM * 4
    turns = rotations_for(batch * kv_heads * head_bytes)
    step = make_step(bench, np.full((turns, kv_heads), tokens, np.int32), batch, heads, tokens)
    spot_check(bench, step, name)
    ours = Case("ours", step.run, turns, bench.context)
    cases, missing = [ours, Case("A/A", step.run, turns, bench.context)], {}
    kv = bench.take_sets((batch, kv_heads, tokens, HEAD_DIM), 2, turns)
    sets = [(step.q.unsqueeze(2), k, v) for k, v in kv]
    options = {} if group == 1 else {"enable_gqa": True}
    ways = [("", sets, options)] + ([(" folded", folded(sets, group), {})] if group > 1 else [])
    for label, backend in (("FLASH", "FLASH_ATTENTION"), ("cuDNN", "CUDNN_ATTENTION")):
        for suffix, of_way, with_options in ways:
            name_of_peer = label + suffix
            build = functools.partial(sdpa_case, name_of_peer, backend, of_way, **with_options)
            add_peer(cases, missing, name_of_peer, build)
    result = bench.timer.interleave(cases, bench.headline_rounds)
    result.failed |= missing
    row = bench.record.row("decode", name, result, bytes=step.cache.live_bytes(0), ceiling="read")
    if limit is not None:
        share = None if row.get("percent") is None else row["percent"] / 100
        target(row, "share of the read ceiling", share, limit, at_most=False)
    bench.record.save()


#: plan, tokens, sequences, query heads
PLAN_CASES = ((VICUNA_7B, 8192, 32, 32), (VICUNA_7B, 16384, 16, 32), (VICUNA_13B, 8192, 32, 40))


def plans(bench: Bench) -> None:
    """A whole model's layers of published spans: against uniform spans of the same bytes, and dense."""
    bench.require("decode d128 group 1")
    for plan, tokens, batch, heads in PLAN_CASES:
        name = f"{plan.split('--')[1]} {tokens // 1024}k B{batch}"
        with bench.guard(name):
            _plan_row(bench, name, plan, bench.tokens(tokens), bench.batch(batch), heads)


def _plan_row(bench: Bench, name, plan, tokens, batch, heads) -> None:
    spans = plan_spans(plan, tokens)
    layers = spans.shape[0]
    step = make_step(bench, spans, batch, heads, tokens)
    spot_check(bench, step, name, most_skewed_layer(spans))
    uniform = make_step(bench, uniform_of_equal_bytes(spans), batch, heads, tokens)
    full = make_step(bench, np.full((1, heads), tokens, np.int32), batch, heads, tokens)
    assert uniform.cache.live_bytes() == step.cache.live_bytes()

    def all_dense(_: int) -> None:
        for _ in range(layers):
            full.run()

    cases = [
        layers_case(bench, "ours", step),
        layers_case(bench, "uniform", uniform),
        Case("dense", all_dense, recorder=bench.context),
    ]
    result = bench.timer.interleave(cases, bench.headline_rounds)
    note = f"{layers} layers, density {spans.mean() / tokens:.3f}"
    row = bench.record.row(
        "decode",
        f"{name} all layers",
        result,
        bytes=step.cache.live_bytes(),
        ceiling="read",
        note=note,
    )
    balance = 1 / row["peers"][cases[1].name]["ratio"]
    target(row, "time / time of uniform spans", balance, 1.05, at_most=True)
    target(
        row,
        "speed-up over dense",
        row["peers"][cases[2].name]["ratio"],
        1.8,
        at_most=False,
    )
    plan_case = Case("ours", lambda _: step.plan())
    bench.record.row("decode", f"{name} decode_plan, all layers", bench.timer.time(plan_case, bench.rounds))
    for which, layer in (
        ("median", median_layer(spans)),
        ("most skewed", most_skewed_layer(spans)),
    ):
        with bench.guard(f"{name} {which} layer"):
            _layer_row(bench, f"{name} {which} layer {layer}", spans[layer], batch, heads, tokens)


def _layer_row(bench: Bench, name, spans: np.ndarray, batch, heads, tokens) -> None:
    """One layer, with varlen_attn over (sequence, head) as the peer."""
    turns = rotations_for(int(spans.sum()) * batch * HEAD_DIM * 4)
    step = make_step(bench, np.tile(spans, (turns, 1)), batch, heads, tokens)
    even = make_step(bench, np.tile(uniform_of_equal_bytes(spans), (turns, 1)), batch, heads, tokens)
    cases = [
        Case("ours", step.run, turns, bench.context),
        Case("A/A", step.run, turns, bench.context),
        Case("uniform", even.run, turns, bench.context),
    ]
    missing = {}
    q = step.q.view(batch * heads, 1, HEAD_DIM)
    k, v = bench.take_sets((int(spans.sum()) * batch, 1, HEAD_DIM), 2, 1)[0]
    lengths = np.tile(spans, batch)
    add_peer(cases, missing, "varlen", lambda: varlen_case("varlen", q, k, v, 1, lengths))
    result = bench.timer.interleave(cases, bench.headline_rounds)
    result.failed |= missing
    skew = f"longest / mean {spans.max() / spans.mean():.2f}"
    row = bench.record.row("decode", name, result, bytes=step.cache.live_bytes(0), ceiling="read", note=skew)
    balance = 1 / row["peers"][cases[2].name]["ratio"]
    target(row, "time / time of uniform spans", balance, 1.05, at_most=True)
    bench.record.save()


def flex(bench: Bench) -> None:
    """FlexAttention's decode kernel on a dense cache with the plan's mask: compiled, so last."""
    bench.require("decode d128 group 1")
    tokens, batch, heads = bench.tokens(8192), bench.batch(32), 32
    spans = plan_spans(VICUNA_7B, tokens)
    layer = median_layer(spans)
    step = make_step(bench, spans[layer : layer + 1], batch, heads, tokens)
    k, v = bench.take_sets((batch, heads, tokens, HEAD_DIM), 2, 1)[0]
    windows = torch.from_numpy(spans[layer] - 64).to(bench.device)
    q, peer = step.q.unsqueeze(2), "FlexAttention"
    cases, missing = [Case("ours", lambda _: step.run())], {}
    add_peer(cases, missing, peer, lambda: flex_decode_case(peer, q, k, v, windows))
    result = bench.timer.interleave(cases, bench.rounds)
    result.failed |= missing
    name = f"vicuna-7b-v1.5-16k 8k B{batch} layer {layer}, FlexAttention"
    bench.record.row("decode", name, result, bytes=step.cache.live_bytes(0), ceiling="read")

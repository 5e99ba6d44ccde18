"""Correctness before time: small odd shapes against float64, outputs poisoned with NaN, runs repeated bit for bit.

A check's name begins with the kernel's and its shape (bench.require looks them up). Limits: 16-bit outputs round by
2^-9 (bf16) of their magnitude and probabilities are rounded to 16 bits on the way; the rest is slack.
"""

import numpy as np
import torch

import abi
from attention_ops import Backward, Decode, Influence, Prefill, softmax_scale
from bench import Bench
from cache import BenchCache
from moa_api import segment_view, tensor_ref
from reference import attend_heads, gradients, influence, relative_error, visible

BF16, F16 = torch.bfloat16, torch.float16
LIMITS = {BF16: 1e-2, F16: 2e-3}
BACKWARD_LIMIT = 2e-2
INFLUENCE_LIMIT = 1e-2
MOA_EPSILON = 2.0**-7  # of bf16, as in the released profile


def _storage(bench: Bench, capacities: np.ndarray, head_dim: int, dtype) -> torch.Tensor:
    """Finite but large numbers: a kernel that reads a slot it should not is far off."""
    elements = int(capacities.astype(np.int64).sum()) * 2 * head_dim
    return bench.random(elements, dtype=dtype, scale=100.0)


def _fill_live(bench: Bench, cache: BenchCache) -> None:
    sequences, layers, kv_heads = cache.capacities.shape
    live = cache.live_slots()
    for at in np.ndindex(sequences, layers, kv_heads):
        shape = (int(live[at]), cache.head_dim)
        keys, values = (bench.random(*shape, dtype=cache.storage.dtype) for _ in range(2))
        cache.store(*at, keys, values)


def _decode_error(decode: Decode, layers: int) -> float:
    errors = []
    for layer in range(layers):
        decode.out.fill_(float("nan"))
        decode.run(layer)
        first = decode.out.clone()
        decode.run(layer)
        if not torch.equal(first.view(torch.int16), decode.out.view(torch.int16)):
            return float("inf")  # not bit for bit the same; NaN was never overwritten, or a race
        for row in range(decode.q.shape[0]):
            for kv_head in range(decode.cache.view.kv_heads):
                errors.append(decode.error(layer, row, kv_head))
    return float(np.max(errors))  # NaN when one is


#: name, head dim, KV heads, group, dtype, capacities of sequence 0's heads, lengths, windowed
DECODE_CASES = (
    ("d128 group 1", 128, 4, 1, BF16, (128, 192, 320, 1024), (5, 700, 3000), True),
    ("d128 group 4", 128, 4, 4, BF16, (128, 192, 320, 1024), (63, 64, 1023), True),
    ("d128 group 8", 128, 2, 8, BF16, (2048, 128), (127, 128, 1999), True),
    ("d64 group 1", 64, 4, 1, BF16, (128, 192, 320, 1024), (0, 191, 3000), True),
    ("d64 group 8 f16", 64, 2, 8, F16, (1024, 192), (1, 190, 1022), True),
    ("d128 group 1, exact capacities", 128, 2, 1, BF16, (1001, 1001), (1000, 1000, 1000), False),
    ("d128 group 4, long", 128, 2, 4, BF16, (16384, 128), (16383, 9000, 20000), True),
    ("d256 group 2", 256, 2, 2, BF16, (256, 576), (100, 255, 700), True),
)


def decode(bench: Bench) -> None:
    order = np.array([2, 0, 1], np.int32)  # rows of q are not in the cache's order
    for name, head_dim, kv_heads, group, dtype, capacities, lengths, windowed in DECODE_CASES:
        with bench.guard(name):
            slots = np.empty((3, 2, kv_heads), np.int32)
            slots[:, 0], slots[:, 1] = capacities, capacities[::-1]
            storage = _storage(bench, slots, head_dim, dtype)
            cache = BenchCache(bench.context, storage, slots, head_dim, lengths, windowed)
            _fill_live(bench, cache)
            step = Decode(bench, cache, kv_heads * group, order)
            bench.record.check(f"decode {name}", _decode_error(step, 2), LIMITS[dtype])
    with bench.guard("stale NaN"):
        _stale_nan(bench)
    with bench.guard("append"):
        _append(bench)


def _stale_nan(bench: Bench) -> None:
    """Slots that hold no token are NaN: what a sequence left behind must not reach the next one."""
    slots = np.full((1, 1, 2), 256, np.int32)
    storage = torch.full((2 * 256 * 2 * 128,), float("nan"), dtype=BF16, device=bench.device)
    cache = BenchCache(bench.context, storage, slots, 128, (70,))
    _fill_live(bench, cache)
    error = _decode_error(Decode(bench, cache, 8), 1)
    bench.record.check("stale-nan decode", error, LIMITS[BF16], "dead slots are NaN")


def _append(bench: Bench) -> None:
    """cache_append of one long segment into rings: the layout, swizzle and eviction, bit for bit."""
    tokens, head_dim, sink = 700, 128, 64
    slots = np.array([[[128, 192, 1024, 256]]], np.int32)
    storage = torch.full((int(slots.sum()) * 2 * head_dim,), 7.0, dtype=BF16, device=bench.device)
    cache = BenchCache(bench.context, storage, slots, head_dim, (0,))
    keys, values = (bench.random(tokens, 4, head_dim) for _ in range(2))
    segments = np.array([[0, tokens, 0, 0]], np.int32)
    params = abi.CacheAppendParams(layer=0, k=tensor_ref(keys), v=tensor_ref(values), segments=segment_view(segments))
    bench.context.cache_op("cache_append", params, cache.view)
    wrong = 0
    for head, capacity in enumerate(slots[0, 0].tolist()):
        position = np.arange(tokens)
        ring = sink + (position - sink) % (capacity - sink)
        holder = dict(zip(np.where(position < sink, position, ring).tolist(), range(tokens), strict=True))
        at, token = (torch.tensor(list(x), device=bench.device) for x in (holder, holder.values()))
        for stored, source in zip(cache.load(0, 0, head), (keys, values), strict=True):
            wrong += int((stored[at] != source[token, head]).sum())
    bench.record.check("append d128 rings", float(wrong), 0.0, "elements that differ")


#: name, tokens, head dim, KV heads, group, dtype
DENSE_CASES = (
    ("d128 group 1", (333, 130, 64), 128, 2, 1, BF16),
    ("d128 group 4", (577, 1), 128, 2, 4, BF16),
    ("d64 group 1", (333, 130), 64, 3, 1, BF16),
    ("d64 group 8 f16", (200, 129), 64, 1, 8, F16),
)


def _segments(lengths) -> np.ndarray:
    starts = np.cumsum([0, *lengths[:-1]])
    return np.array([[s, n, 0, i] for i, (s, n) in enumerate(zip(starts, lengths, strict=True))], np.int32)


def _inputs(bench: Bench, tokens: int, kv_heads: int, group: int, head_dim: int, dtype):
    heads = kv_heads * group
    return [bench.random(tokens, h, head_dim, dtype=dtype) for h in (heads, kv_heads, kv_heads)]


def _check_prefill(bench: Bench, name: str, step: Prefill, expected, limit: float, layer: int = 0):
    out, log_sum_exp = expected
    step.run(layer)
    first = step.out.clone()
    step.run(layer)
    same = torch.equal(first.view(torch.int16), step.out.view(torch.int16))
    error = relative_error(step.out, out) if same else float("inf")
    bench.record.check(f"prefill {name}", error, limit)
    difference = float((step.log_sum_exp.double() - log_sum_exp).abs().max())
    bench.record.check(f"prefill {name} log-sum-exp", difference, 1e-3, "absolute")


def prefill(bench: Bench) -> None:
    for name, lengths, head_dim, kv_heads, group, dtype in DENSE_CASES:
        with bench.guard(name):
            q, k, v = _inputs(bench, sum(lengths), kv_heads, group, head_dim, dtype)
            segments = _segments(lengths)
            parts = []
            for start, count, _, _ in segments.tolist():
                position = torch.arange(count, device=bench.device)
                seen = visible(position, position, 0, None)
                rows = slice(start, start + count)
                scale = softmax_scale(head_dim)
                parts.append(attend_heads(q[rows], k[rows], v[rows], lambda _, s=seen: s, scale))
            expected = [torch.cat(x) for x in zip(*parts, strict=True)]
            _check_prefill(bench, name, Prefill(bench, q, k, v, segments), expected, LIMITS[dtype])
    for tokens, cached, head_dim in ((777, 0, 128), (300, 500, 128), (333, 0, 64)):
        name = f"rings d{head_dim}, {tokens} after {cached}"
        with bench.guard(name):
            _windowed(bench, name, tokens, cached, head_dim)


def _windowed(bench: Bench, name: str, tokens: int, cached: int, head_dim: int) -> None:
    """Per-head sink + window, the last `tokens` of cached + tokens; the cache holds the ones before."""
    spans, sink, kv_heads, group = (128, 192, 448, 1024), 64, 4, 2
    slots = np.array([[spans[::-1], spans]], np.int32)  # layer 1 is used
    storage = torch.zeros(int(slots.sum()) * 2 * head_dim, dtype=BF16, device=bench.device)
    cache = BenchCache(bench.context, storage, slots, head_dim, (cached,))
    q, k, v = _inputs(bench, cached + tokens, kv_heads, group, head_dim, BF16)
    for head, capacity in enumerate(spans):
        held = torch.zeros(2, capacity, head_dim, dtype=BF16, device=bench.device)
        for p in range(cached):
            slot = p if p < sink else sink + (p - sink) % (capacity - sink)
            held[0, slot], held[1, slot] = k[p, head], v[p, head]
        cache.store(0, 1, head, *held)
    queries, keys = (torch.arange(a, cached + tokens, device=bench.device) for a in (cached, 0))
    expected = attend_heads(
        q[cached:],
        k,
        v,
        lambda h: visible(queries, keys, sink, spans[h] - sink),
        softmax_scale(head_dim),
    )
    segments = np.array([[0, tokens, cached, 0]], np.int32)
    step = Prefill(bench, *(x[cached:].contiguous() for x in (q, k, v)), segments, cache)
    _check_prefill(bench, name, step, expected, LIMITS[BF16], layer=1)


def gradient(bench: Bench) -> None:
    cases = (((333, 130), 128, 2, 2), ((200, 65), 64, 2, 1), ((1537,), 128, 1, 2))
    for lengths, head_dim, kv_heads, group in cases:
        name = f"d{head_dim} group {group} N{max(lengths)}"
        with bench.guard(name):
            q, k, v = _inputs(bench, sum(lengths), kv_heads, group, head_dim, BF16)
            grad_out = torch.randn_like(q)
            segments = _segments(lengths)
            step = Prefill(bench, q, k, v, segments)
            step.run()
            scale = softmax_scale(head_dim)
            expected = [torch.zeros_like(x, dtype=torch.float64) for x in (q, k, v)]
            sums = torch.zeros(3, kv_heads, -(-max(lengths) // 64), dtype=torch.float64, device=q.device)
            for start, count, _, _ in segments.tolist():
                rows = slice(start, start + count)
                parts = gradients(q[rows], k[rows], v[rows], grad_out[rows], scale)
                for whole, part in zip(expected, parts, strict=True):
                    whole[rows] = part
                at = [x[rows] for x in (q, k, v, step.out, grad_out)]
                sums += influence(*at, scale, MOA_EPSILON, 64, sums.shape[2])
            backward = Backward(step, grad_out)
            backward.run()
            first = [x.clone() for x in backward.grads]
            backward.run()
            pairs = zip(first, backward.grads, strict=True)
            differ = sum(int((a.view(torch.int16) != b.view(torch.int16)).sum()) for a, b in pairs)
            bench.record.check(f"backward {name} repeated", float(differ), 0.0, "elements that differ")
            for which, received, wanted in zip("qkv", backward.grads, expected, strict=True):
                error = relative_error(received, wanted)
                bench.record.check(f"backward {name} grad {which}", error, BACKWARD_LIMIT)
            profile = Influence(step, grad_out, MOA_EPSILON)
            profile.run()
            again = Influence(step, grad_out, MOA_EPSILON)
            again.run()
            differ = int((again.sums != profile.sums).sum())
            bench.record.check(f"influence {name} repeated", float(differ), 0.0, "sums that differ")
            for i, which in enumerate(("elementwise", "elementwise sink", "joint")):
                error = relative_error(profile.sums[i], sums[i])
                bench.record.check(f"influence {name} {which}", error, INFLUENCE_LIMIT)

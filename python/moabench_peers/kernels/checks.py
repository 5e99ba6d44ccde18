"""Correctness checks that run before anything is timed: small odd shapes are compared with float64.

Outputs hold NaN before a run, and a second run must give the same bits. Each function takes the spec of a check and
returns what it found; moabench holds the shapes and the limits.
"""

import numpy as np
import torch

from . import abi
from .attention_ops import Backward, Decode, Influence, Prefill, softmax_scale
from .cache import BenchCache
from .case import Check
from .device import Device
from .library import segment_view, tensor_ref
from .reference import DTYPES, attend_heads, gradients, influence, relative_error, visible

BF16 = torch.bfloat16
SINK = 64
MOA_EPSILON = 2.0**-7  # of bf16, as in the released profile


def _storage(device: Device, capacities: np.ndarray, head_dim: int, dtype) -> torch.Tensor:
    """A storage of finite but large numbers: a kernel that reads a wrong slot then has a large error."""
    elements = int(capacities.astype(np.int64).sum()) * 2 * head_dim
    return device.random(elements, dtype=dtype, scale=100.0)


def _fill_live(device: Device, cache: BenchCache) -> None:
    sequences, layers, kv_heads = cache.capacities.shape
    live = cache.live_slots()
    for at in np.ndindex(sequences, layers, kv_heads):
        shape = (int(live[at]), cache.head_dim)
        keys, values = (device.random(*shape, dtype=cache.storage.dtype) for _ in range(2))
        cache.store(*at, keys, values)


def _decode_error(decode: Decode, layers: int) -> float:
    errors = []
    for layer in range(layers):
        decode.out.fill_(float("nan"))
        decode.run(layer)
        first = decode.out.clone()
        decode.run(layer)
        if not torch.equal(first.view(torch.int16), decode.out.view(torch.int16)):
            return float("inf")  # the two runs differ in some bit: the kernel has a race
        for row in range(decode.q.shape[0]):
            for kv_head in range(decode.cache.view.kv_heads):
                errors.append(decode.error(layer, row, kv_head))
    return float(np.max(errors))  # NaN when any error is NaN


def decode(device: Device, spec: dict) -> list[Check]:
    """Decode of two layers and three sequences of `lengths`.

    `capacities`: slots of layer 0's heads; layer 1 has them in reverse order.
    """
    capacities, head_dim, dtype = spec["capacities"], spec["headDim"], DTYPES[spec["dtype"]]
    slots = np.empty((3, 2, len(capacities)), np.int32)
    slots[:, 0], slots[:, 1] = capacities, capacities[::-1]
    storage = _storage(device, slots, head_dim, dtype)
    cache = BenchCache(device.context, storage, slots, head_dim, spec["lengths"], spec["windowed"])
    _fill_live(device, cache)
    order = np.array([2, 0, 1], np.int32)  # rows of q are not in the cache's order
    step = Decode(device, cache, heads=len(capacities) * spec["group"], sequences=order)
    return [Check("", _decode_error(step, 2))]


def stale_nan(device: Device, _: dict) -> list[Check]:
    """Decode with NaN in all slots that hold no token: what an earlier sequence left there must not be read."""
    slots = np.full((1, 1, 2), 256, np.int32)
    storage = torch.full((2 * 256 * 2 * 128,), float("nan"), dtype=BF16, device=device.torch)
    cache = BenchCache(device.context, storage, slots, 128, (70,))
    _fill_live(device, cache)
    return [Check("", _decode_error(Decode(device, cache, heads=8), 1), "dead slots are NaN")]


def append(device: Device, _: dict) -> list[Check]:
    """cache_append of one long segment into rings. Checks layout, swizzle and eviction bit for bit."""
    tokens, head_dim = 700, 128
    slots = np.array([[[128, 192, 1024, 256]]], np.int32)
    storage = torch.full((int(slots.sum()) * 2 * head_dim,), 7.0, dtype=BF16, device=device.torch)
    cache = BenchCache(device.context, storage, slots, head_dim, (0,))
    keys, values = (device.random(tokens, 4, head_dim) for _ in range(2))
    segments = np.array([[0, tokens, 0, 0]], np.int32)
    params = abi.CacheAppendParams(layer=0, k=tensor_ref(keys), v=tensor_ref(values), segments=segment_view(segments))
    device.context.cache_op("cache_append", params, cache.view)
    wrong = 0
    for head, capacity in enumerate(slots[0, 0].tolist()):
        position = np.arange(tokens)
        ring = SINK + (position - SINK) % (capacity - SINK)
        holder = dict(zip(np.where(position < SINK, position, ring).tolist(), range(tokens), strict=True))
        at, token = (torch.tensor(list(x), device=device.torch) for x in (holder, holder.values()))
        for stored, source in zip(cache.load(0, 0, head), (keys, values), strict=True):
            wrong += int((stored[at] != source[token, head]).sum())
    return [Check("", float(wrong), "elements that differ")]


def _segments(lengths) -> np.ndarray:
    starts = np.cumsum([0, *lengths[:-1]])
    return np.array([[s, n, 0, i] for i, (s, n) in enumerate(zip(starts, lengths, strict=True))], np.int32)


def _inputs(device: Device, tokens: int, spec: dict):
    heads = (spec["kvHeads"] * spec["group"], spec["kvHeads"], spec["kvHeads"])
    return [device.random(tokens, h, spec["headDim"], dtype=DTYPES[spec["dtype"]]) for h in heads]


def _prefill_checks(step: Prefill, expected, layer: int = 0) -> list[Check]:
    out, log_sum_exp = expected
    step.run(layer)
    first = step.out.clone()
    step.run(layer)
    same = torch.equal(first.view(torch.int16), step.out.view(torch.int16))
    error = relative_error(step.out, out) if same else float("inf")
    difference = float((step.log_sum_exp.double() - log_sum_exp).abs().max())
    return [Check("", error), Check("log-sum-exp", difference, "absolute")]


def prefill(device: Device, spec: dict) -> list[Check]:
    """Prefill of dense causal segments of `lengths`."""
    lengths = spec["lengths"]
    q, k, v = _inputs(device, sum(lengths), spec)
    segments, parts = _segments(lengths), []
    for start, count, _, _ in segments.tolist():
        position = torch.arange(count, device=device.torch)
        seen = visible(position, position, 0, None)
        rows = slice(start, start + count)
        scale = softmax_scale(spec["headDim"])
        parts.append(attend_heads(q[rows], k[rows], v[rows], lambda _, s=seen: s, scale))
    expected = [torch.cat(x) for x in zip(*parts, strict=True)]
    return _prefill_checks(Prefill(device, q, k, v, segments), expected)


def prefill_rings(device: Device, spec: dict) -> list[Check]:
    """Prefill of `tokens` tokens after `cached` tokens that the cache holds, with a sink and window per head (`spans`)."""
    spans, tokens, cached, head_dim = spec["spans"], spec["tokens"], spec["cached"], spec["headDim"]
    slots = np.array([[spans[::-1], spans]], np.int32)  # layer 1 is used
    storage = torch.zeros(int(slots.sum()) * 2 * head_dim, dtype=BF16, device=device.torch)
    cache = BenchCache(device.context, storage, slots, head_dim, (cached,))
    q, k, v = _inputs(device, cached + tokens, {**spec, "kvHeads": len(spans)})
    for head, capacity in enumerate(spans):
        held = torch.zeros(2, capacity, head_dim, dtype=BF16, device=device.torch)
        for p in range(cached):
            slot = p if p < SINK else SINK + (p - SINK) % (capacity - SINK)
            held[0, slot], held[1, slot] = k[p, head], v[p, head]
        cache.store(0, 1, head, *held)
    queries, keys = (torch.arange(a, cached + tokens, device=device.torch) for a in (cached, 0))
    seen_of = lambda h: visible(queries, keys, SINK, spans[h] - SINK)  # noqa: E731
    expected = attend_heads(q[cached:], k, v, seen_of, softmax_scale(head_dim))
    segments = np.array([[0, tokens, cached, 0]], np.int32)
    step = Prefill(device, *(x[cached:].contiguous() for x in (q, k, v)), segments, cache)
    return _prefill_checks(step, expected, layer=1)


def _forward(device: Device, spec: dict) -> tuple[Prefill, torch.Tensor]:
    """A prefill of dense causal segments of `lengths` that has run, and a random gradient of its output."""
    q, k, v = _inputs(device, sum(spec["lengths"]), spec)
    step = Prefill(device, q, k, v, _segments(spec["lengths"]))
    step.run()
    return step, torch.randn_like(q)


def _rows(step: Prefill):
    return [slice(start, start + count) for start, count, _, _ in step.segments.tolist()]


def backward(device: Device, spec: dict) -> list[Check]:
    """The gradients with respect to q, k and v. Two runs must give the same bits."""
    step, grad_out = _forward(device, spec)
    scale = softmax_scale(spec["headDim"])
    expected = [torch.zeros_like(x, dtype=torch.float64) for x in (step.q, step.k, step.v)]
    for rows in _rows(step):
        parts = gradients(step.q[rows], step.k[rows], step.v[rows], grad_out[rows], scale)
        for whole, part in zip(expected, parts, strict=True):
            whole[rows] = part
    ours = Backward(step, grad_out)
    ours.run()
    first = [x.clone() for x in ours.grads]
    ours.run()
    pairs = zip(first, ours.grads, strict=True)
    differ = sum(int((a.view(torch.int16) != b.view(torch.int16)).sum()) for a, b in pairs)
    found = [Check("repeated", float(differ), "elements that differ")]
    for which, received, wanted in zip("qkv", ours.grads, expected, strict=True):
        found.append(Check(f"grad {which}", relative_error(received, wanted)))
    return found


def influence_sums(device: Device, spec: dict) -> list[Check]:
    """The three sums of influence. Two runs must give the same sums."""
    step, grad_out = _forward(device, spec)
    scale, bins = softmax_scale(spec["headDim"]), -(-max(spec["lengths"]) // 64)
    sums = torch.zeros(3, spec["kvHeads"], bins, dtype=torch.float64, device=grad_out.device)
    for rows in _rows(step):
        at = [x[rows] for x in (step.q, step.k, step.v, step.out, grad_out)]
        sums += influence(*at, scale, MOA_EPSILON, SINK, bins)
    profile, again = (Influence(step, grad_out, MOA_EPSILON) for _ in range(2))
    profile.run()
    again.run()
    differ = int((again.sums != profile.sums).sum())
    found = [Check("repeated", float(differ), "sums that differ")]
    for i, which in enumerate(("elementwise", "elementwise sink", "joint")):
        found.append(Check(which, relative_error(profile.sums[i], sums[i])))
    return found


#: The function of a check, by the op of its spec.
CHECKS = {
    "decode": decode,
    "stale-nan": stale_nan,
    "append": append,
    "prefill": prefill,
    "prefill-rings": prefill_rings,
    "backward": backward,
    "influence": influence_sums,
}

"""Calls of the attention ops on torch tensors. Each object keeps the arguments of its call alive."""

import math

import numpy as np
import torch

from . import abi
from .cache import BenchCache
from .device import Device
from .library import segment_view, tensor_ref
from .reference import attend, relative_error


def whole_segment(tokens: int, first_position: int = 0, sequence: int = 0) -> np.ndarray:
    """One segment of `tokens` rows, as int32 [1, 4]: row_start, row_count, first_position, sequence."""
    return np.array([[0, tokens, first_position, sequence]], np.int32)


def softmax_scale(head_dim: int) -> float:
    return 1 / math.sqrt(head_dim)


class Prefill:
    """attention_prefill on q [T, H, D], k and v [T, Hkv, D]. out and log_sum_exp hold NaN before the first run."""

    def __init__(self, device: Device, q, k, v, segments, cache: BenchCache | None = None, context=None):
        self.context = context or device.context
        self.q, self.k, self.v, self.segments, self.cache = q, k, v, segments, cache
        self.out = torch.full_like(q, float("nan"))
        self.log_sum_exp = torch.full(q.shape[:2], float("nan"), device=q.device)

    def run(self, layer: int = 0) -> None:
        params = abi.AttentionPrefillParams(
            q=tensor_ref(self.q),
            k=tensor_ref(self.k),
            v=tensor_ref(self.v),
            out=tensor_ref(self.out),
            log_sum_exp=tensor_ref(self.log_sum_exp),
            segments=segment_view(self.segments),
            scale=softmax_scale(self.q.shape[2]),
            layer=layer,
        )
        view = None if self.cache is None else self.cache.view
        self.context.cache_op("attention_prefill", params, view)


class Backward:
    """attention_backward after a prefill. The gradients hold NaN before the first run."""

    def __init__(self, prefill: Prefill, grad_out):
        self.prefill, self.grad_out = prefill, grad_out
        inputs = (prefill.q, prefill.k, prefill.v)
        self.grads = [torch.full_like(x, float("nan")) for x in inputs]

    def run(self) -> None:
        p = self.prefill
        grad_q, grad_k, grad_v = (tensor_ref(x) for x in self.grads)
        params = abi.AttentionBackwardParams(
            q=tensor_ref(p.q),
            k=tensor_ref(p.k),
            v=tensor_ref(p.v),
            out=tensor_ref(p.out),
            log_sum_exp=tensor_ref(p.log_sum_exp),
            grad_out=tensor_ref(self.grad_out),
            grad_q=grad_q,
            grad_k=grad_k,
            grad_v=grad_v,
            segments=segment_view(p.segments),
            scale=softmax_scale(p.q.shape[2]),
        )
        p.context.op("attention_backward", params)


class Influence:
    """influence after a prefill. Each run adds to `sums`, f32 [3, Hkv, bins]: elementwise, elementwise_sink, joint."""

    def __init__(self, prefill: Prefill, grad_out, epsilon: float, sink: int = 64):
        self.prefill, self.grad_out = prefill, grad_out
        self.epsilon, self.sink = epsilon, sink
        longest = int(prefill.segments[:, 1].max())
        shape = (3, prefill.k.shape[1], -(-longest // 64))
        self.sums = torch.zeros(shape, device=grad_out.device)

    def run(self) -> None:
        p = self.prefill
        elementwise, elementwise_sink, joint = (tensor_ref(x) for x in self.sums)
        params = abi.InfluenceParams(
            q=tensor_ref(p.q),
            k=tensor_ref(p.k),
            v=tensor_ref(p.v),
            out=tensor_ref(p.out),
            log_sum_exp=tensor_ref(p.log_sum_exp),
            grad_out=tensor_ref(self.grad_out),
            elementwise=elementwise,
            elementwise_sink=elementwise_sink,
            joint=joint,
            segments=segment_view(p.segments),
            scale=softmax_scale(p.q.shape[2]),
            epsilon=self.epsilon,
            sink=self.sink,
        )
        p.context.op("influence", params)


class Decode:
    """attention_decode of one step over a cache; q and out [B, H, D]. Call `plan` again whenever lengths change."""

    def __init__(self, device: Device, cache: BenchCache, q=None, heads: int = 0, sequences: np.ndarray | None = None):
        """`q`: random with `heads` heads when not given. `sequences`: of the rows of q; default: all in the cache's order."""
        count = cache.view.sequences
        self.cache = cache
        self.sequences = np.arange(count, dtype=np.int32) if sequences is None else sequences
        dtype = cache.storage.dtype
        self.q = device.random(self.sequences.size, heads, cache.head_dim, dtype=dtype) if q is None else q
        self.out = torch.full_like(self.q, float("nan"))
        self.scale = softmax_scale(cache.head_dim)
        self._params = [
            cache.decode_params(layer, self.q, self.out, self.sequences, self.scale)
            for layer in range(cache.view.layers)
        ]
        self.plan()

    def plan(self) -> None:
        self.cache.decode_plan(self.sequences)

    def run(self, layer: int = 0) -> None:
        self.cache.context.cache_op("attention_decode", self._params[layer], self.cache.view)

    def error(self, layer: int, row: int, kv_head: int) -> float:
        """Relative error of `out` for the query heads of one KV head, against float64 from the contents of the cache."""
        sequence = int(self.sequences[row])
        live = int(self.cache.live_slots()[sequence, layer, kv_head])
        keys, values = (x[:live] for x in self.cache.load(sequence, layer, kv_head))
        group = self.q.shape[1] // self.cache.view.kv_heads
        heads = slice(kv_head * group, (kv_head + 1) * group)
        seen = torch.ones(group, live, dtype=torch.bool, device=keys.device)
        expected, _ = attend(self.q[row, heads], keys, values, seen, self.scale)
        return relative_error(self.out[row, heads], expected)

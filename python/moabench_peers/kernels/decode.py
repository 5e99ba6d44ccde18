"""Decode attention: our kernel over a cache of given spans, and PyTorch's kernels on the same shape."""

import functools

import numpy as np
import torch

from .attention_ops import Decode
from .cache import BenchCache
from .case import Check, KernelCase
from .peers import flex_decode_case, folded, sdpa_case, varlen_case
from .reference import DTYPES
from .timing import Case, rotations_for

#: The most entries (sequences x layers x KV heads) of a cache's tables; it bounds the host's work for tiny shapes.
MAX_TABLE_ENTRIES = 1 << 19
SINK = 64


class DecodeCase(KernelCase):
    """spec: batch, heads, kvHeads, headDim, tokens (seen, the new one included), spans [layers][kvHeads], dtype.

    A call goes through all layers. A spec with one layer is repeated at several places in memory, so that L2 is cold.
    """

    def __init__(self, device, spec):
        super().__init__(device, spec)
        self.spans = np.array(spec["spans"], np.int32)
        self.batch, self.heads, self.head_dim = spec["batch"], spec["heads"], spec["headDim"]
        self.kv_heads, self.tokens = spec["kvHeads"], spec["tokens"]
        self.group = self.heads // self.kv_heads
        self.q = device.random(self.batch, self.heads, self.head_dim, dtype=DTYPES[spec["dtype"]])

    def _turns(self, spans: np.ndarray) -> int:
        if spans.shape[0] > 1:
            return 1
        turns = rotations_for(int(np.minimum(spans, self.tokens).sum()) * self.batch * self.head_dim * 4)
        return min(turns, max(MAX_TABLE_ENTRIES // (self.batch * self.kv_heads), 1))

    def _step(self, spans: np.ndarray) -> Decode:
        """A planned step over these spans. The cache is dense when no span is shorter than the sequence."""
        layers = np.tile(spans, (self._turns(spans), 1))
        capacities = np.broadcast_to(layers, (self.batch, *layers.shape))
        lengths = np.full(self.batch, self.tokens - 1)
        windowed = bool((spans < self.tokens).any())
        cache = BenchCache(self.device.context, self.device.pool, capacities, self.head_dim, lengths, windowed)
        return Decode(self.device, cache, self.q)

    @functools.cached_property
    def ours(self) -> Decode:
        return self._step(self.spans)

    @functools.cached_property
    def dense(self) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Sets of q [B, H, 1, D], k and v [B, Hkv, N, D] without a mask, one set for each turn."""
        shape = (self.batch, self.kv_heads, self.tokens, self.head_dim)
        turns = rotations_for(self.batch * self.kv_heads * self.tokens * self.head_dim * 4)
        return [(self.q.unsqueeze(2), k, v) for k, v in self.device.take_sets(shape, 2, turns)]

    def checks(self) -> list[Check]:
        """Compares some heads of the timed shape with float64, so that splits and merges at this size are checked."""
        step = self.ours
        skew = self.spans.max(axis=1) / self.spans.mean(axis=1)
        layer = int(skew.argmax())
        step.out.fill_(float("nan"))
        step.run(layer)
        places = {(i * self.batch // 4, (i * 7 + 1) % self.kv_heads) for i in range(4)} | {
            (self.batch - 1, self.kv_heads - 1)
        }
        error = float(np.max([step.error(layer, row, head) for row, head in sorted(places)]))
        whole = not bool(step.out.isnan().any())
        return [Check("attention_decode", error if whole else float("nan"), "some heads against float64")]

    def arm(self, spec):
        name, by = spec["id"], spec["by"]
        if by == "moabench":
            return self._ours(name, spec)
        if by == "moabench-plan":
            step = self.ours
            return Case(name, lambda _: step.plan())
        if by == "sdpa":
            sets, options = self.dense, {"enable_gqa": True}
            if self.group == 1:
                options = {}
            elif spec.get("folded"):
                sets, options = folded(sets, self.group), {}
            return sdpa_case(name, spec["backend"], sets, **options)
        if by == "varlen":
            q = self.q.view(self.batch * self.heads, 1, self.head_dim)
            lengths = np.tile(self.spans[0], self.batch)
            k, v = self.device.take_sets((int(lengths.sum()), 1, self.head_dim), 2, 1)[0]
            return varlen_case(name, q, k, v, self.group, lengths)
        if by == "flex":
            q, k, v = self.dense[0]
            windows = torch.from_numpy(self.spans[0] - SINK).to(q.device)
            return flex_decode_case(name, q.view(self.batch, self.kv_heads, self.group, self.head_dim), k, v, windows)
        raise ValueError(f"Expected a contender of decode for by but received {by}")

    def _ours(self, name: str, spec: dict) -> Case:
        """Our arm. `spans`: used instead of the case's spans. `repeat`: how often a call repeats the step."""
        spans = self.spans if "spans" not in spec else np.array(spec["spans"], np.int32)
        step = self.ours if spans is self.spans else self._step(spans)
        layers, repeat = step.cache.view.layers, spec.get("repeat", 1)
        if spans.shape[0] > 1:

            def every_layer(_: int) -> None:
                for layer in range(layers):
                    step.run(layer)

            return Case(name, every_layer, recorder=self.device.context)

        def one_layer(turn: int) -> None:
            for _ in range(repeat):
                step.run(turn)

        return Case(name, one_layer, layers, self.device.context)

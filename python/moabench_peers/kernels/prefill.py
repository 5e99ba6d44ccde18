"""Prefill attention of one causal sequence: our kernel, dense or with spans per head, and PyTorch's on the same tensors."""

import functools

import numpy as np
import torch

from .attention_ops import Prefill, softmax_scale, whole_segment
from .cache import BenchCache
from .case import Check, KernelCase
from .library import environment, load_copy
from .peers import flex_prefill_case, sdpa_case
from .reference import DTYPES, attend, relative_error, visible
from .timing import Case

SINK = 64


def batched(*tensors):
    """[T, H, D] -> contiguous [1, H, T, D]."""
    return [x.transpose(0, 1).unsqueeze(0).contiguous() for x in tensors]


def inputs(device, spec: dict):
    """q [T, H, D], k and v [T, Hkv, D] of standard normal numbers."""
    heads = (spec["heads"], spec["kvHeads"], spec["kvHeads"])
    return [device.random(spec["tokens"], h, spec["headDim"], dtype=DTYPES[spec["dtype"]]) for h in heads]


class PrefillCase(KernelCase):
    """spec: tokens, heads, kvHeads, headDim, dtype; spans [layers][kvHeads], left out for dense causal attention.

    A call goes through all layers.
    """

    def __init__(self, device, spec):
        super().__init__(device, spec)
        self.q, self.k, self.v = inputs(device, spec)
        self.tokens = spec["tokens"]
        self.spans = None if spec.get("spans") is None else np.array(spec["spans"], np.int32)

    def _step(self, cache: BenchCache | None = None, context=None) -> Prefill:
        return Prefill(self.device, self.q, self.k, self.v, whole_segment(self.tokens), cache, context)

    @functools.cached_property
    def dense(self) -> Prefill:
        return self._step()

    @functools.cached_property
    def ours(self) -> Prefill:
        """Our prefill. With spans, it has an empty cache of one sequence, and takes the mask from that cache."""
        if self.spans is None:
            return self.dense
        return self._step(
            BenchCache(self.device.context, self.device.pool, self.spans[None], self.spec["headDim"], (0,))
        )

    @functools.cached_property
    def peer_set(self) -> list[torch.Tensor]:
        return batched(self.q, self.k, self.v)

    @property
    def _options(self) -> dict:
        return {"is_causal": True} | ({} if self.spec["kvHeads"] == self.spec["heads"] else {"enable_gqa": True})

    def checks(self) -> list[Check]:
        return self._check_dense() if self.spans is None else self._check_heads()

    def _check_dense(self) -> list[Check]:
        self.ours.run()
        expected = torch.nn.functional.scaled_dot_product_attention(*self.peer_set, **self._options)
        error = relative_error(self.ours.out, expected[0].transpose(0, 1))
        return [Check("attention_prefill", error, "against torch's own choice")]

    def _check_heads(self) -> list[Check]:
        """Compares the shortest and the longest head of the last layer with float64."""
        step, layer = self.ours, self.spans.shape[0] - 1
        step.out.fill_(float("nan"))
        step.run(layer)
        position = torch.arange(self.tokens, device=step.q.device)
        scale, found = softmax_scale(self.spec["headDim"]), []
        group = self.spec["heads"] // self.spec["kvHeads"]
        for kv_head in (int(self.spans[layer].argmin()), int(self.spans[layer].argmax())):
            span, head = int(self.spans[layer, kv_head]), kv_head * group
            seen = visible(position, position, SINK, span - SINK)
            expected, _ = attend(step.q[:, head], step.k[:, kv_head], step.v[:, kv_head], seen, scale)
            found.append(
                Check(
                    f"attention_prefill, span {span}",
                    relative_error(step.out[:, head], expected),
                    "a head against float64",
                )
            )
        return found

    def arm(self, spec):
        name, by = spec["id"], spec["by"]
        if by == "moabench":
            return self._ours(name, spec)
        if by == "sdpa":
            return sdpa_case(name, spec["backend"], [self.peer_set], **self._options)
        if by == "flex":
            windows = torch.from_numpy(self.spans[0] - SINK).to(self.q.device)
            return flex_prefill_case(name, *self.peer_set, windows)
        raise ValueError(f"Expected a contender of prefill for by but received {by}")

    def _ours(self, name: str, spec: dict) -> Case:
        """Our arm. `dense`: without the case's spans. `kernel`: runs this kernel of the library, in a copy of the library."""
        if "kernel" in spec:
            return self._kernel(name, spec["kernel"])
        if spec.get("dense") or self.spans is None:
            step = self.dense
            return Case(name, lambda _: step.run())
        step, layers = self.ours, self.spans.shape[0]

        def every_layer(_: int) -> None:
            for layer in range(layers):
                step.run(layer)

        return Case(name, every_layer)

    def _kernel(self, name: str, kernel: str) -> Case:
        self.dense.run()
        torch.cuda.synchronize()
        with environment(MOABENCH_PREFILL_KERNEL=kernel):
            context = load_copy(self.device.library)
            step = self._step(context=context)
            torch.cuda.synchronize()
            step.run()  # reads the environment
            context.synchronize()
        error = relative_error(step.out, self.dense.out)
        self.found.append(Check(f"attention_prefill by {kernel}", error, "against ours", arm=name))
        return Case(name, lambda _: step.run(), stream=context.torch_stream)

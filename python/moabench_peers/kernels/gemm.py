"""Matrix products x W^T with the shapes of a model's projections."""

import functools

import torch
import torch.nn.functional as F

from . import abi
from .case import Check, KernelCase
from .library import tensor_ref
from .reference import relative_error
from .timing import Case, rotations_for


class GemmCase(KernelCase):
    """spec: m, n, k. The dtype is bf16, and there are enough weight matrices to keep L2 cold."""

    def __init__(self, device, spec):
        super().__init__(device, spec)
        m, n, k = spec["m"], spec["n"], spec["k"]
        self.weights = [device.take((n, k), i * n * k) for i in range(rotations_for(n * k * 2, limit=16))]
        self.a = device.random(m, k)
        self.out = torch.full((m, n), float("nan"), dtype=self.a.dtype, device=self.a.device)

    @functools.cached_property
    def ours(self) -> list[abi.GemmParams]:
        a, out = tensor_ref(self.a), tensor_ref(self.out)
        return [abi.GemmParams(a=a, b=tensor_ref(w), out=out, transpose_b=True) for w in self.weights]

    def checks(self) -> list[Check]:
        self.device.context.op("gemm", self.ours[0])
        expected = self.a.float() @ self.weights[0].float().T
        return [Check("gemm", relative_error(self.out, expected), "against float32")]

    def arm(self, spec):
        name, by, turns = spec["id"], spec["by"], len(self.weights)
        if by == "moabench":
            params, context = self.ours, self.device.context
            return Case(name, lambda i: context.op("gemm", params[i]), turns, context)
        if by == "F.linear":
            return Case(name, lambda i: F.linear(self.a, self.weights[i]), turns, "torch")
        if by == "torch.mm":
            out, transposed = torch.empty_like(self.out), [w.T for w in self.weights]
            return Case(name, lambda i: torch.mm(self.a, transposed[i], out=out), turns, "torch")
        raise ValueError(f"Expected a contender of gemm for by but received {by}")

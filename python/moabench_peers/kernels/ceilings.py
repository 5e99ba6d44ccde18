"""The highest rates of the device: reading, copying, bf16 matrix products. They are measured without our kernels."""

import torch

from ..worker import Unavailable
from .case import KernelCase
from .timing import Case


class ReadCase(KernelCase):
    """spec: bytes. Sums that read every byte once. Reading bounds decode attention, which writes almost nothing."""

    def __init__(self, device, spec):
        super().__init__(device, spec)
        self.words = device.take((spec["bytes"] // 2,)).view(torch.int32)

    def arm(self, spec):
        name, by = spec["id"], spec["by"]
        if by == "torch.sum":
            floats = self.words.view(torch.float32)
            return Case(name, lambda _: floats.sum())
        if by == "torch.amax":
            return Case(name, lambda _: self.words.amax())
        if by == "triton":
            try:
                from .read_kernel import read_case
            except Exception as error:  # no Triton, or none that loads
                raise Unavailable(f"no Triton: {error}") from error
            return read_case(name, self.words, spec["block"], spec["turns"], spec["warps"])
        raise ValueError(f"Expected a way to read for by but received {by}")


class CopyCase(KernelCase):
    """spec: bytes. Half of them are read and half are written."""

    def __init__(self, device, spec):
        super().__init__(device, spec)
        half = spec["bytes"] // 4
        self.source, self.target = device.take((half,)), device.take((half,), half)

    def arm(self, spec):
        return Case(spec["id"], lambda _: self.target.copy_(self.source))


class MatmulCase(KernelCase):
    """spec: n. A product of two n x n matrices."""

    def __init__(self, device, spec):
        super().__init__(device, spec)
        n = spec["n"]
        self.a, self.b = (device.take((n, n), i * n * n) for i in range(2))
        self.out = torch.empty(n, n, dtype=self.a.dtype, device=self.a.device)

    def arm(self, spec):
        return Case(spec["id"], lambda _: torch.mm(self.a, self.b, out=self.out))

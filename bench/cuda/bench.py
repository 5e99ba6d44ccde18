"""What every unit of the benchmark works with: settings, the library's context, memory, timer, record."""

import argparse
import contextlib
import functools
import gc
import math
import traceback

import torch

from moa_api import Context, Library
from record import Record
from timing import Timer

#: The largest working set: 100 sequences x 32 heads x 8192 tokens x 128 x 2 in bf16, and some.
POOL_BYTES = 14_000_000_000
LEAST_POOL_BYTES = 400_000_000  # of shrunk shapes: rotations for a cold L2


class DeviceLost(RuntimeError):
    """The CUDA context is broken: nothing more can run in this process."""


class Bench:
    def __init__(self, arguments: argparse.Namespace, record: Record):
        self.arguments, self.record = arguments, record
        self.device = torch.device("cuda")
        self.timer = Timer(arguments.process)
        self.rounds = 10 if arguments.quick else 20
        self.headline_rounds = 12 if arguments.quick else 40
        self.unit = ""

    @functools.cached_property
    def context(self) -> Context:
        """The library's context; torch works on its stream from now on."""
        context = Context(Library(self.arguments.lib))
        torch.cuda.synchronize()
        torch.cuda.set_stream(context.torch_stream)
        self.record.data["meta"]["library"] = context.describe()
        return context

    @functools.cached_property
    def pool(self) -> torch.Tensor:
        """Standard normal bf16 [elements]: keys, values and weights of all timed shapes."""
        size = max(POOL_BYTES // self.arguments.shrink**2, LEAST_POOL_BYTES) // 2
        pool = torch.empty(size, dtype=torch.bfloat16, device=self.device)
        for part in pool.split(1 << 28):
            part.normal_()
        torch.cuda.synchronize()
        return pool

    def take(self, shape, offset: int = 0) -> torch.Tensor:
        """A tensor of `shape` in the pool from element `offset`."""
        return self.pool[offset : offset + math.prod(shape)].view(shape)

    def take_sets(self, shape, tensors: int, sets: int, gap: int = 0) -> list[list[torch.Tensor]]:
        """`sets` times `tensors` tensors of `shape`, all apart, from element `gap` of the pool on."""
        size = math.prod(shape)
        return [[self.take(shape, gap + (s * tensors + t) * size) for t in range(tensors)] for s in range(sets)]

    def random(self, *shape, dtype=torch.bfloat16, scale: float = 1.0) -> torch.Tensor:
        return (torch.randn(*shape, device=self.device) * scale).to(dtype)

    def tokens(self, count: int) -> int:
        """A length, made smaller by --shrink in whole blocks."""
        return max(count // self.arguments.shrink // 64 * 64, 128)

    def batch(self, count: int) -> int:
        return max(count // self.arguments.shrink, 1)

    @contextlib.contextmanager
    def guard(self, label: str):
        """One row's failure is recorded and the next row goes on, while the device works."""
        try:
            yield
        except Exception:
            self.record.fail(self.unit, label, traceback.format_exc())
            gc.collect()  # the traceback's frames hold tensors
            self.check_device()

    def check_device(self) -> None:
        try:
            torch.cuda.synchronize()
            torch.ones(1, device=self.device).item()
        except Exception as error:
            raise DeviceLost(str(error)) from error

    def require(self, *checks: str) -> None:
        """Wrong kernels are not timed: no check whose name begins so may have failed."""
        for name in checks:
            if self.record.wrong(name):
                raise RuntimeError(f"not timed: a check of {name} failed")

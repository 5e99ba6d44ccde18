"""What every case works with: the device, the library's context, the pool of random numbers, the timer."""

import functools
import math

import torch

from ..worker import Lost, Unavailable
from .library import Context, Library
from .timing import Timer


class Device:
    """`name`: cuda or cpu. `library`: path of libmoabench_cuda.so; None: only PyTorch's kernels run."""

    def __init__(self, name: str, library: str | None, pool_bytes: int):
        self.torch = torch.device(name)
        self.library, self.pool_bytes = library, pool_bytes
        self.timer = Timer(self.torch)
        self.compile_s = 0.0  # seconds that the slowest torch.compile took so far

    @functools.cached_property
    def context(self) -> Context:
        """The library's context. From its first use on, torch works on the stream of this context."""
        if self.library is None or self.torch.type != "cuda":
            raise Unavailable("the CUDA library runs on a GPU only")
        context = Context(Library(self.library))
        torch.cuda.synchronize()
        torch.cuda.set_stream(context.torch_stream)
        return context

    @functools.cached_property
    def pool(self) -> torch.Tensor:
        """Standard normal numbers, bf16 [elements]. The keys, values and weights of all timed shapes lie in it."""
        pool = torch.empty(self.pool_bytes // 2, dtype=torch.bfloat16, device=self.torch)
        for part in pool.split(1 << 28):
            part.normal_()
        self.synchronize()
        return pool

    def take(self, shape, offset: int = 0) -> torch.Tensor:
        """A tensor of `shape` in the pool that starts at element `offset`."""
        return self.pool[offset : offset + math.prod(shape)].view(shape)

    def take_sets(self, shape, tensors: int, sets: int) -> list[list[torch.Tensor]]:
        """`sets` lists of `tensors` tensors of `shape` in the pool; no two of them overlap."""
        size = math.prod(shape)
        return [[self.take(shape, (s * tensors + t) * size) for t in range(tensors)] for s in range(sets)]

    def random(self, *shape, dtype=torch.bfloat16, scale: float = 1.0) -> torch.Tensor:
        return (torch.randn(*shape, device=self.torch) * scale).to(dtype)

    def synchronize(self) -> None:
        if self.torch.type == "cuda":
            torch.cuda.synchronize()

    def release(self) -> None:
        """Gives back the memory that a case held. @raises Lost when the device no longer works."""
        if self.torch.type != "cuda":
            return
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            torch.ones(1, device=self.torch).item()
        except Exception as error:
            raise Lost(f"the device was lost: {error}") from error

"""A read-only sum in Triton. Reading bounds decode attention, which reads once and writes almost nothing."""

import torch
import triton
import triton.language as tl

from .timing import Case


@triton.jit
def _sum_kernel(x, sums, BLOCK: tl.constexpr, TURNS: tl.constexpr):
    """sums[program] = sum of the BLOCK * TURNS words that start at x[program * BLOCK * TURNS]."""
    program = tl.program_id(0)
    first = program.to(tl.int64) * (BLOCK * TURNS)
    lanes = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), dtype=tl.int32)
    for turn in tl.static_range(TURNS):
        total += tl.load(x + first + turn * BLOCK + lanes)
    tl.store(sums + program, tl.sum(total, axis=0))


def read_case(name: str, words: torch.Tensor, block: int, turns: int, warps: int) -> Case:
    """A sum of int32 [n]. Each program sums `block` * `turns` words, with `turns` loads in flight."""
    programs = words.numel() // (block * turns)
    sums = torch.empty(max(programs, 1), dtype=torch.int32, device=words.device)

    def call(_: int) -> None:
        _sum_kernel[(programs,)](words, sums, BLOCK=block, TURNS=turns, num_warps=warps)

    return Case(name, call)

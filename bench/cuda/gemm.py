"""gemm on the shapes of a 7B Llama: decode against the read ceiling, prefill against the GEMM ceiling."""

import torch
import torch.nn.functional as F

import abi
from bench import Bench
from moa_api import tensor_ref
from reference import relative_error
from timing import Case, rotations_for

#: name, N, K of a weight [N, K]
WEIGHTS = (
    ("qkv", 12288, 4096),
    ("output", 4096, 4096),
    ("gate and up", 22016, 4096),
    ("down", 4096, 11008),
)
DECODE_ROWS, PREFILL_ROWS = (1, 16, 64), 4096


def measure(bench: Bench) -> None:
    for rows in (*DECODE_ROWS, PREFILL_ROWS):
        for name, n, k in WEIGHTS:
            if rows == PREFILL_ROWS and name not in ("qkv", "down"):
                continue
            with bench.guard(f"{name} M{rows}"):
                _row(bench, f"{name} M{rows} N{n} K{k}", rows, bench.tokens(n), bench.tokens(k))


def _row(bench: Bench, name: str, m: int, n: int, k: int) -> None:
    turns = rotations_for(n * k * 2, limit=16)
    weights = [bench.take((n, k), i * n * k) for i in range(turns)]
    a = bench.random(m, k)
    out = torch.full((m, n), float("nan"), dtype=a.dtype, device=a.device)
    ours_params = [
        abi.GemmParams(a=tensor_ref(a), b=tensor_ref(w), out=tensor_ref(out), transpose_b=True) for w in weights
    ]
    ours = Case("ours", lambda i: bench.context.op("gemm", ours_params[i]), turns, bench.context)
    ours.call(0)
    error = relative_error(out, a.float() @ weights[0].float().T)
    if not bench.record.check(f"gemm-at-scale {name}", error, 1e-2):
        raise RuntimeError(f"not timed: wrong at {name}")
    torch_out = torch.empty_like(out)
    transposed = [w.T for w in weights]
    cases = [
        ours,
        Case("F.linear", lambda i: F.linear(a, weights[i]), turns, "torch"),
        Case("torch.mm", lambda i: torch.mm(a, transposed[i], out=torch_out), turns, "torch"),
    ]
    result = bench.timer.interleave(cases, bench.rounds)
    facts = {"bytes": 2 * (n * k + m * k + m * n), "ceiling": "read"}
    if m == PREFILL_ROWS:
        facts = {"flop": 2 * m * n * k, "ceiling": "gemm"}
    bench.record.row("gemm", name, result, **facts)

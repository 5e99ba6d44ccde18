"""Row-wise ops on more than 32 MB: bytes moved per second against the copy ceiling, torch beside them."""

import time

import numpy as np
import torch
import torch.nn.functional as F

import abi
from attention_ops import whole_segment
from bench import Bench
from moa_api import int_view, segment_view, tensor_ref
from reference import relative_error
from timing import Case, rotations_for

EPSILON = 1e-5
LIMIT = 1e-2  # bf16 outputs
COMPILE_PATIENCE_S = 20.0  # when one torch.compile takes longer, the others are not tried


def _norm(x, weight):
    return F.rms_norm(x, x.shape[-1:], weight, EPSILON)


def _add_norm(x, residual, weight):
    residual += x
    return F.rms_norm(residual, x.shape[-1:], weight.float(), EPSILON).to(x.dtype)


def _silu_mul(gate_up):
    gate, up = gate_up.chunk(2, -1)
    return F.silu(gate) * up


def _rotate(x, cos, sin):
    """Hugging Face's rotate_half on [T, H, D]; cos and sin [T, 1, D]."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def _rope(q, k, cos, sin):
    return _rotate(q, cos, sin), _rotate(k, cos, sin)


class Glue:
    def __init__(self, bench: Bench):
        self.bench, self.compile_s = bench, 0.0

    def row(self, name: str, moved: int, ours: Case, eager, compiled=None, ceiling: str = "copy") -> None:
        """`eager(i)` and `compiled(function)` are torch's ways; moved: bytes read and written once each."""
        cases, missing = [ours, Case("eager", eager, ours.rotations, "torch")], {}
        if compiled is not None:
            if self.compile_s > COMPILE_PATIENCE_S:
                missing["compiled"] = f"skipped: torch.compile took {self.compile_s:.0f} s before"
            else:
                began = time.perf_counter()
                compiled(0)
                torch.cuda.synchronize()
                self.compile_s = time.perf_counter() - began
                cases.append(Case("compiled", compiled, ours.rotations, "torch"))
        result = self.bench.timer.interleave(cases, self.bench.rounds)
        result.failed |= missing
        self.bench.record.row("glue", name, result, bytes=moved, ceiling=ceiling)

    def ours(self, method: str, params: list) -> Case:
        context = self.bench.context
        return Case("ours", lambda i: context.op(method, params[i]), len(params), context)

    def check(self, name: str, received, expected) -> None:
        if not self.bench.record.check(f"glue-at-scale {name}", relative_error(received, expected), LIMIT):
            raise RuntimeError(f"not timed: wrong at {name}")

    def norm(self) -> None:
        tokens, width = self.bench.tokens(8192), self.bench.tokens(4096)
        moved = 4 * tokens * width
        turns = rotations_for(moved)
        xs = [x for (x,) in self.bench.take_sets((tokens, width), 1, turns)]
        weight, out = self.bench.random(width), torch.full_like(xs[0], float("nan"))
        params = [
            abi.RmsNormParams(x=tensor_ref(x), weight=tensor_ref(weight), out=tensor_ref(out), epsilon=EPSILON)
            for x in xs
        ]
        ours = self.ours("rms_norm", params)
        ours.call(0)
        self.check("rms_norm", out, _norm(xs[0].float(), weight.float()))
        compiled = torch.compile(_norm, dynamic=False)
        self.row(
            f"rms_norm {tokens} x {width} bf16",
            moved,
            ours,
            lambda i: _norm(xs[i], weight),
            lambda i: compiled(xs[i], weight),
        )

    def add_norm(self) -> None:
        tokens, width = self.bench.tokens(8192), self.bench.tokens(4096)
        moved = 12 * tokens * width  # x and out bf16, residual f32 read and written
        turns = rotations_for(moved)
        xs = [x for (x,) in self.bench.take_sets((tokens, width), 1, turns)]
        residuals = [torch.randn(tokens, width, device=self.bench.device) for _ in range(turns)]
        weight, out = self.bench.random(width), torch.full_like(xs[0], float("nan"))
        params = [
            abi.RmsNormParams(
                x=tensor_ref(x),
                weight=tensor_ref(weight),
                out=tensor_ref(out),
                residual=tensor_ref(r),
                epsilon=EPSILON,
            )
            for x, r in zip(xs, residuals, strict=True)
        ]
        ours = self.ours("rms_norm", params)
        expected = _norm(residuals[0] + xs[0].float(), weight.float())
        ours.call(0)
        self.check("rms_norm with residual", out, expected)
        compiled = torch.compile(_add_norm, dynamic=False)
        self.row(
            f"rms_norm {tokens} x {width} bf16 + f32 residual",
            moved,
            ours,
            lambda i: _add_norm(xs[i], residuals[i], weight),
            lambda i: compiled(xs[i], residuals[i], weight),
        )

    def silu_mul(self) -> None:
        tokens, width = self.bench.tokens(4096), self.bench.tokens(11008)
        moved = 6 * tokens * width
        turns = rotations_for(moved)
        inputs = [x for (x,) in self.bench.take_sets((tokens, 2 * width), 1, turns)]
        out = torch.full_like(inputs[0][:, :width], float("nan")).contiguous()
        params = [abi.SiluMulParams(gate_up=tensor_ref(x), out=tensor_ref(out)) for x in inputs]
        ours = self.ours("silu_mul", params)
        ours.call(0)
        self.check("silu_mul", out, _silu_mul(inputs[0].float()))
        compiled = torch.compile(_silu_mul, dynamic=False)
        self.row(
            f"silu_mul {tokens} x {width} bf16",
            moved,
            ours,
            lambda i: _silu_mul(inputs[i]),
            lambda i: compiled(inputs[i]),
        )

    def rope(self) -> None:
        tokens, heads, head_dim = self.bench.tokens(8192), 32, 128
        moved = 8 * tokens * heads * head_dim  # q and k, read and written
        turns = rotations_for(moved)
        sets = [[self.bench.random(tokens, heads, head_dim) for _ in range(2)] for _ in range(turns)]
        steps = torch.arange(0, head_dim, 2, device=self.bench.device, dtype=torch.float32)
        inverse = 10000.0 ** (-steps / head_dim)
        segments = whole_segment(tokens)
        params = [
            abi.RopeParams(
                q=tensor_ref(q),
                k=tensor_ref(k),
                inverse_frequencies=tensor_ref(inverse),
                segments=segment_view(segments),
                scale=1.0,
            )
            for q, k in sets
        ]
        angles = torch.arange(tokens, device=self.bench.device)[:, None] * inverse[None, :]
        angles = torch.cat((angles, angles), -1)[:, None, :]
        cos, sin = angles.cos(), angles.sin()
        ours = self.ours("rope", params)
        expected = _rope(*(x.float() for x in sets[0]), cos, sin)
        ours.call(0)
        for received, wanted in zip(sets[0], expected, strict=True):
            self.check("rope", received, wanted)
        cos, sin = cos.bfloat16(), sin.bfloat16()
        compiled = torch.compile(_rope, dynamic=False)
        self.row(
            f"rope {tokens} x (32 + 32) x 128 bf16",
            moved,
            ours,
            lambda i: _rope(*sets[i], cos, sin),
            lambda i: compiled(*sets[i], cos, sin),
        )

    def rows(self) -> None:
        tokens, width, vocabulary = self.bench.tokens(16384), self.bench.tokens(4096), 32000
        vocabulary = max(vocabulary // self.bench.arguments.shrink, 64)
        table = self.bench.take((vocabulary, width))
        ids = torch.randint(vocabulary, (tokens,), device=self.bench.device, dtype=torch.int32)
        out = torch.full((tokens, width), float("nan"), dtype=table.dtype, device=table.device)
        moved = 4 * tokens * width
        embedding = abi.EmbeddingParams(ids=tensor_ref(ids), table=tensor_ref(table), out=tensor_ref(out))
        ours = self.ours("embedding", [embedding])
        ours.call(0)
        self.check("embedding", out, table[ids.long()])
        name = f"{tokens} rows of {width} bf16"
        self.row(f"embedding {name}", moved, ours, lambda _: F.embedding(ids, table))
        out.fill_(float("nan"))
        chosen = ids.cpu().numpy().astype(np.int32)
        gather = abi.RowsParams(x=tensor_ref(table), out=tensor_ref(out), rows=int_view(chosen))
        ours = self.ours("gather_rows", [gather])
        ours.call(0)
        self.check("gather_rows", out, table[ids.long()])
        self.row(f"gather_rows {name}", moved, ours, lambda _: torch.index_select(table, 0, ids))

    def argmax(self) -> None:
        rows, vocabulary = self.bench.batch(512), self.bench.tokens(128256)
        turns = rotations_for(2 * rows * vocabulary)
        logits = [x for (x,) in self.bench.take_sets((rows, vocabulary), 1, turns)]
        out = torch.full((rows,), -7, dtype=torch.int32, device=self.bench.device)
        params = [abi.ArgmaxParams(logits=tensor_ref(x), out=tensor_ref(out)) for x in logits]
        ours = self.ours("argmax", params)
        ours.call(0)
        wrong = float((out != logits[0].argmax(-1)).sum())  # ties: the first, in both
        if not self.bench.record.check("glue-at-scale argmax", wrong, 0.0, "rows that differ"):
            raise RuntimeError("not timed: argmax is wrong")
        moved, name = 2 * rows * vocabulary, f"argmax {rows} x {vocabulary} bf16"
        self.row(name, moved, ours, lambda i: logits[i].argmax(-1), ceiling="read")

    def add(self) -> None:
        tokens, width = self.bench.tokens(8192), self.bench.tokens(4096)
        moved = 6 * tokens * width
        turns = rotations_for(moved)
        sets = [[self.bench.random(tokens, width) for _ in range(2)] for _ in range(turns)]
        params = [abi.AddParams(x=tensor_ref(x), y=tensor_ref(y)) for x, y in sets]
        ours = self.ours("add", params)
        expected = sets[0][0].float() + sets[0][1].float()
        ours.call(0)
        self.check("add", sets[0][0], expected)
        name = f"add {tokens} x {width} bf16"
        self.row(name, moved, ours, lambda i: sets[i][0].add_(sets[i][1]))


def measure(bench: Bench) -> None:
    glue = Glue(bench)
    for step in (
        glue.norm,
        glue.add_norm,
        glue.silu_mul,
        glue.rope,
        glue.rows,
        glue.argmax,
        glue.add,
    ):
        with bench.guard(step.__name__):
            step()

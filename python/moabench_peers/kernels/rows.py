"""Row-wise ops: for each, the params for our library, torch's ways to compute the same, and the expected result.

The first set of buffers is checked. All sets are timed, so that L2 is cold. `compiled` is torch.compile of the eager
function.
"""

import functools
import time

import numpy as np
import torch
import torch.nn.functional as F

from ..worker import Unavailable
from . import abi
from .attention_ops import whole_segment
from .case import Check, KernelCase
from .library import int_view, segment_view, tensor_ref
from .reference import relative_error
from .timing import Case, rotations_for

EPSILON = 1e-5
COMPILE_PATIENCE_S = 20.0  # when one torch.compile takes longer, no further one is tried


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


class RowsCase(KernelCase):
    """An op on `turns` sets of buffers. Subclasses give `method`, `params`, `eager`, `torch_arguments` and `errors`."""

    method = ""
    turns = 1
    recorder = "torch"

    def params(self) -> list:
        raise NotImplementedError

    def eager(self, *arguments):
        raise NotImplementedError

    def torch_arguments(self, turn: int) -> tuple:
        raise NotImplementedError

    def errors(self) -> list[float]:
        """The errors of our op after a call on the first set of buffers."""
        raise NotImplementedError

    note = ""

    @functools.cached_property
    def ours(self) -> list:
        return self.params()

    def checks(self):
        self.prepare_expected()
        self.device.context.op(self.method, self.ours[0])
        return [Check(self.method, error, self.note) for error in self.errors()]

    def prepare_expected(self) -> None:
        """Computes what is expected before the call. Ops that overwrite their inputs need this."""

    def arm(self, spec):
        name, by = spec["id"], spec["by"]
        if by == "moabench":
            params, context = self.ours, self.device.context
            return Case(name, lambda i: context.op(self.method, params[i]), len(params), context)
        if by == "eager":
            return Case(name, lambda i: self.eager(*self.torch_arguments(i)), self.turns, "torch")
        if by == "compiled":
            return Case(name, self._compiled(), self.turns, "torch")
        raise ValueError(f"Expected a contender of {self.method} for by but received {by}")

    def _compiled(self):
        if self.device.compile_s > COMPILE_PATIENCE_S:
            raise Unavailable(f"torch.compile took {self.device.compile_s:.0f} s before")
        began = time.perf_counter()
        function = torch.compile(self.eager, dynamic=False)
        function(*self.torch_arguments(0))
        self.device.synchronize()
        self.device.compile_s = max(self.device.compile_s, time.perf_counter() - began)
        return lambda i: function(*self.torch_arguments(i))


class RmsNorm(RowsCase):
    """spec: tokens, width, residual (whether x is first added to an f32 residual in place)."""

    method = "rms_norm"

    def __init__(self, device, spec):
        super().__init__(device, spec)
        tokens, width = spec["tokens"], spec["width"]
        self.turns = rotations_for((12 if spec["residual"] else 4) * tokens * width)
        self.xs = [x for (x,) in device.take_sets((tokens, width), 1, self.turns)]
        self.residuals = None
        if spec["residual"]:
            self.residuals = [torch.randn(tokens, width, device=device.torch) for _ in self.xs]
        self.weight, self.out = device.random(width), torch.full_like(self.xs[0], float("nan"))
        self.eager = _add_norm if spec["residual"] else _norm

    def params(self):
        weight, out = tensor_ref(self.weight), tensor_ref(self.out)
        common = {"weight": weight, "out": out, "epsilon": EPSILON}
        if self.residuals is None:
            return [abi.RmsNormParams(x=tensor_ref(x), **common) for x in self.xs]
        pairs = zip(self.xs, self.residuals, strict=True)
        return [abi.RmsNormParams(x=tensor_ref(x), residual=tensor_ref(r), **common) for x, r in pairs]

    def torch_arguments(self, turn):
        if self.residuals is None:
            return self.xs[turn], self.weight
        return self.xs[turn], self.residuals[turn], self.weight

    def prepare_expected(self):
        x = self.xs[0].float()
        self.expected = _norm(x if self.residuals is None else self.residuals[0] + x, self.weight.float())

    def errors(self):
        return [relative_error(self.out, self.expected)]


class SiluMul(RowsCase):
    """spec: tokens, width."""

    method = "silu_mul"

    def __init__(self, device, spec):
        super().__init__(device, spec)
        tokens, width = spec["tokens"], spec["width"]
        self.turns = rotations_for(6 * tokens * width)
        self.inputs = [x for (x,) in device.take_sets((tokens, 2 * width), 1, self.turns)]
        self.out = torch.full_like(self.inputs[0][:, :width], float("nan")).contiguous()
        self.eager = _silu_mul

    def params(self):
        return [abi.SiluMulParams(gate_up=tensor_ref(x), out=tensor_ref(self.out)) for x in self.inputs]

    def torch_arguments(self, turn):
        return (self.inputs[turn],)

    def errors(self):
        return [relative_error(self.out, _silu_mul(self.inputs[0].float()))]


class Rope(RowsCase):
    """spec: tokens, heads (of q and of k), headDim."""

    method = "rope"

    def __init__(self, device, spec):
        super().__init__(device, spec)
        tokens, heads, head_dim = spec["tokens"], spec["heads"], spec["headDim"]
        self.turns = rotations_for(8 * tokens * heads * head_dim)
        self.sets = [[device.random(tokens, heads, head_dim) for _ in range(2)] for _ in range(self.turns)]
        steps = torch.arange(0, head_dim, 2, device=device.torch, dtype=torch.float32)
        self.inverse = 10000.0 ** (-steps / head_dim)
        self.segments = whole_segment(tokens)
        angles = torch.arange(tokens, device=device.torch)[:, None] * self.inverse[None, :]
        angles = torch.cat((angles, angles), -1)[:, None, :]
        self.cos, self.sin = angles.cos(), angles.sin()
        self.half = self.cos.bfloat16(), self.sin.bfloat16()
        self.eager = _rope

    def params(self):
        common = {
            "inverse_frequencies": tensor_ref(self.inverse),
            "segments": segment_view(self.segments),
            "scale": 1.0,
        }
        return [abi.RopeParams(q=tensor_ref(q), k=tensor_ref(k), **common) for q, k in self.sets]

    def torch_arguments(self, turn):
        return *self.sets[turn], *self.half

    def prepare_expected(self):
        self.expected = _rope(*(x.float() for x in self.sets[0]), self.cos, self.sin)

    def errors(self):
        pairs = zip(self.sets[0], self.expected, strict=True)
        return [relative_error(received, wanted) for received, wanted in pairs]


class Gather(RowsCase):
    """spec: op (embedding or gather_rows), tokens, width, vocabulary."""

    def __init__(self, device, spec):
        super().__init__(device, spec)
        tokens, width, vocabulary = spec["tokens"], spec["width"], spec["vocabulary"]
        self.method = spec["op"]
        self.table = device.take((vocabulary, width))
        self.ids = torch.randint(vocabulary, (tokens,), device=device.torch, dtype=torch.int32)
        self.chosen = self.ids.cpu().numpy().astype(np.int32)
        self.out = torch.full((tokens, width), float("nan"), dtype=self.table.dtype, device=device.torch)

    def params(self):
        table, out = tensor_ref(self.table), tensor_ref(self.out)
        if self.method == "embedding":
            return [abi.EmbeddingParams(ids=tensor_ref(self.ids), table=table, out=out)]
        return [abi.RowsParams(x=table, out=out, rows=int_view(self.chosen))]

    def eager(self, ids, table):
        return F.embedding(ids, table) if self.method == "embedding" else torch.index_select(table, 0, ids)

    def torch_arguments(self, turn):
        return self.ids, self.table

    def errors(self):
        return [relative_error(self.out, self.table[self.ids.long()])]


class Argmax(RowsCase):
    """spec: tokens, vocabulary. On a tie, both ours and torch's choose the first index."""

    method, note = "argmax", "rows that differ"

    def __init__(self, device, spec):
        super().__init__(device, spec)
        rows, vocabulary = spec["tokens"], spec["vocabulary"]
        self.turns = rotations_for(2 * rows * vocabulary)
        self.logits = [x for (x,) in device.take_sets((rows, vocabulary), 1, self.turns)]
        self.out = torch.full((rows,), -7, dtype=torch.int32, device=device.torch)

    def params(self):
        return [abi.ArgmaxParams(logits=tensor_ref(x), out=tensor_ref(self.out)) for x in self.logits]

    def eager(self, logits):
        return logits.argmax(-1)

    def torch_arguments(self, turn):
        return (self.logits[turn],)

    def errors(self):
        return [float((self.out != self.logits[0].argmax(-1)).sum())]


class Add(RowsCase):
    """spec: tokens, width. x += y."""

    method = "add"

    def __init__(self, device, spec):
        super().__init__(device, spec)
        tokens, width = spec["tokens"], spec["width"]
        self.turns = rotations_for(6 * tokens * width)
        self.sets = [[device.random(tokens, width) for _ in range(2)] for _ in range(self.turns)]

    def params(self):
        return [abi.AddParams(x=tensor_ref(x), y=tensor_ref(y)) for x, y in self.sets]

    def eager(self, x, y):
        return x.add_(y)

    def torch_arguments(self, turn):
        return tuple(self.sets[turn])

    def prepare_expected(self):
        self.expected = self.sets[0][0].float() + self.sets[0][1].float()

    def errors(self):
        return [relative_error(self.sets[0][0], self.expected)]


#: The class of a row-wise case, by the op of its spec.
ROWS = {
    "rms_norm": RmsNorm,
    "silu_mul": SiluMul,
    "rope": Rope,
    "embedding": Gather,
    "gather_rows": Gather,
    "argmax": Argmax,
    "add": Add,
}

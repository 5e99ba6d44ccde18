"""Backward and influence of dense causal attention, with PyTorch's backward as the reference of cost."""

import torch
import torch.nn.functional as F

from attention_ops import Backward, Influence, Prefill, whole_segment
from bench import Bench
from peers import Unavailable, add_peer
from prefill import HEADS, batched, inputs
from reference import relative_error
from spans import causal_pairs
from timing import Case

EPSILON = 2.0**-7
AGREEMENT = 3e-2  # between two kernels that each round P and dS to bf16 on the way


def _gemms_flop(gemms: int, tokens: int, head_dim: int) -> int:
    return gemms * 2 * causal_pairs(tokens) * HEADS * head_dim


def _backward_case(name: str, backend: str, q, k, v, grad_out) -> Case:
    """torch's backward alone: the forward's graph is kept and gone through again."""
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        chosen = getattr(SDPBackend, backend)
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"no SDPBackend.{backend}: {error}") from error
    with torch.enable_grad(), sdpa_kernel(chosen):
        leaves = [x.detach().requires_grad_() for x in batched(q, k, v)]
        out = F.scaled_dot_product_attention(*leaves, is_causal=True)
    (grad,) = batched(grad_out)

    def call(_: int) -> None:
        torch.autograd.grad(out, leaves, grad, retain_graph=True)

    return Case(name, call)


def _check(bench: Bench, name: str, backward: Backward) -> None:
    """The timed shape's gradients against PyTorch's own in bf16."""
    step = backward.prefill
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() for x in batched(step.q, step.k, step.v)]
        out = F.scaled_dot_product_attention(*leaves, is_causal=True)
    expected = torch.autograd.grad(out, leaves, batched(backward.grad_out))
    backward.run()
    for which, received, wanted in zip("qkv", backward.grads, expected, strict=True):
        error = relative_error(received, wanted[0].transpose(0, 1))
        if not bench.record.check(f"backward-at-scale {name} grad {which}", error, AGREEMENT):
            raise RuntimeError(f"not timed: wrong at {name}")


def measure(bench: Bench) -> None:
    for head_dim in (128, 64):
        with bench.guard(f"d{head_dim}"):
            _rows(bench, bench.tokens(8192), head_dim)


def _rows(bench: Bench, tokens: int, head_dim: int) -> None:
    bench.require(f"prefill d{head_dim}")
    q, k, v = inputs(bench, tokens, HEADS, head_dim)
    grad_out = torch.randn_like(q)
    step = Prefill(bench, q, k, v, whole_segment(tokens))
    step.run()
    shape = f"B1 32/32 {tokens} d{head_dim}"
    peers, missing = [], {}
    for label, backend in (
        ("FLASH backward", "FLASH_ATTENTION"),
        ("cuDNN backward", "CUDNN_ATTENTION"),
    ):
        add_peer(
            peers,
            missing,
            label,
            lambda n=label, b=backend: _backward_case(n, b, q, k, v, grad_out),
        )
    if not bench.record.wrong(f"influence d{head_dim}"):
        with bench.guard(f"influence {shape}"):
            profile = Influence(step, grad_out, EPSILON)
            result = bench.timer.interleave([Case("ours", lambda _: profile.run()), *peers], bench.rounds)
            result.failed |= missing
            work = _gemms_flop(2, tokens, head_dim)
            note = "2 GEMMs per causal pair; peers do 5"
            bench.record.row("gradient", f"influence {shape}", result, flop=work, ceiling="gemm", note=note)
    if not bench.record.wrong(f"backward d{head_dim}"):
        with bench.guard(f"backward {shape}"):
            backward = Backward(step, grad_out)
            _check(bench, shape, backward)
            result = bench.timer.interleave([Case("ours", lambda _: backward.run()), *peers], bench.rounds)
            result.failed |= missing
            work = _gemms_flop(5, tokens, head_dim)
            note = "5 GEMMs per causal pair"
            bench.record.row("gradient", f"backward {shape}", result, flop=work, ceiling="gemm", note=note)

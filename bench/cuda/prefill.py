"""Prefill attention: dense causal against PyTorch and the GEMM ceiling; plans against their live work."""

import numpy as np
import torch

from attention_ops import Prefill, softmax_scale, whole_segment
from bench import Bench
from cache import BenchCache
from decode import VICUNA_7B
from moa_api import environment, load_copy
from peers import add_peer, flex_prefill_case, sdpa_case
from record import target
from reference import attend, relative_error, visible
from spans import SINK, causal_pairs, live_fractions, median_layer, plan_spans, visible_pairs
from timing import Case

HEADS = 32
AGREEMENT = 1.5e-2  # between two kernels whose bf16 outputs each round once


def flop(pairs: int, heads: int, head_dim: int) -> int:
    """Of the two matrix products over `pairs` visible pairs per head."""
    return 4 * pairs * heads * head_dim


def inputs(bench: Bench, tokens: int, kv_heads: int, head_dim: int):
    """q [T, 32, D], k and v [T, kv_heads, D] of standard normal numbers."""
    shapes = ((tokens, HEADS, head_dim), (tokens, kv_heads, head_dim), (tokens, kv_heads, head_dim))
    return [bench.random(*shape) for shape in shapes]


def batched(*tensors):
    """[T, H, D] -> contiguous [1, H, T, D]."""
    return [x.transpose(0, 1).unsqueeze(0).contiguous() for x in tensors]


#: tokens, KV heads, head dim
DENSE_CASES = ((8192, 32, 128), (2048, 32, 128), (16384, 32, 128), (8192, 32, 64), (8192, 8, 128))


def dense(bench: Bench) -> None:
    for tokens, kv_heads, head_dim in DENSE_CASES:
        name = f"dense causal B1 32/{kv_heads} {tokens // 1024}k d{head_dim}"
        with bench.guard(name):
            _dense_row(bench, name, bench.tokens(tokens), kv_heads, head_dim)


def _dense_row(bench: Bench, name: str, tokens: int, kv_heads: int, head_dim: int) -> None:
    bench.require(f"prefill d{head_dim}")
    q, k, v = inputs(bench, tokens, kv_heads, head_dim)
    step = Prefill(bench, q, k, v, whole_segment(tokens))
    peer_sets = [batched(q, k, v)]
    options = {"is_causal": True} | ({} if kv_heads == HEADS else {"enable_gqa": True})
    cases = [Case("ours", lambda _: step.run()), Case("A/A", lambda _: step.run())]
    missing = {}
    for label, backend in (("FLASH", "FLASH_ATTENTION"), ("cuDNN", "CUDNN_ATTENTION")):
        add_peer(cases, missing, label, lambda n=label, b=backend: sdpa_case(n, b, peer_sets, **options))
    step.run()
    expected = torch.nn.functional.scaled_dot_product_attention(*peer_sets[0], **options)
    error = relative_error(step.out, expected[0].transpose(0, 1))
    if not bench.record.check(f"prefill-at-scale {name}", error, AGREEMENT, "against torch's own choice"):
        raise RuntimeError(f"not timed: wrong at {name}")
    result = bench.timer.interleave(cases, bench.headline_rounds)
    result.failed |= missing
    work = flop(causal_pairs(tokens), HEADS, head_dim)
    bench.record.row("prefill", name, result, flop=work, ceiling="gemm")


def plan_cache(bench: Bench, spans: np.ndarray, head_dim: int) -> BenchCache:
    """An empty cache of one sequence with spans [layers, kv_heads]: prefill takes its mask from it."""
    return BenchCache(bench.context, bench.pool, spans[None], head_dim, (0,))


def plans(bench: Bench) -> None:
    """Time relative to dense, over the share of live work: 1 means that sparsity is worth all of what it saves."""
    bench.require("prefill d128", "prefill rings d128")
    for tokens in (8192, 16384):
        with bench.guard(f"plan {tokens}"):
            _plan_row(bench, bench.tokens(tokens), 128)


def _plan_row(bench: Bench, tokens: int, head_dim: int) -> None:
    every = plan_spans(VICUNA_7B, tokens)
    layers = list(range(0, every.shape[0], 8))
    spans = every[layers]
    q, k, v = inputs(bench, tokens, HEADS, head_dim)
    sparse = Prefill(bench, q, k, v, whole_segment(tokens), plan_cache(bench, spans, head_dim))
    full = Prefill(bench, q, k, v, whole_segment(tokens))

    _check_heads(bench, f"{tokens} tokens", sparse, spans)

    def all_layers(_: int) -> None:
        for layer in range(len(layers)):
            sparse.run(layer)

    peer_sets = [batched(q, k, v)]
    cases, missing = (
        [Case("ours", all_layers), Case("one dense layer", lambda _: full.run())],
        {},
    )
    add_peer(
        cases,
        missing,
        "cuDNN, one dense layer",
        lambda: sdpa_case("cuDNN, one dense layer", "CUDNN_ATTENTION", peer_sets, is_causal=True),
    )
    result = bench.timer.interleave(cases, bench.headline_rounds)
    result.failed |= missing
    live = live_fractions(spans, tokens)
    fractions = ", ".join(f"{name} {value:.3f}" for name, value in live.items())
    row = bench.record.row(
        "prefill",
        f"vicuna-7b-v1.5-16k {tokens} tokens, layers {layers}",
        result,
        flop=flop(int(visible_pairs(spans, tokens).sum()), 1, head_dim),
        ceiling="gemm",
        note=f"live of dense: {fractions}",
        live_fractions=live,
    )
    relative = 1 / row["peers"][cases[1].name]["ratio"] / len(layers)
    row["time_of_dense"] = relative
    print(f"    time / dense time per layer: {relative:.3f}")
    for name, value in live.items():
        limit = 1.10 if name != "pairs" else 1.20
        target(row, f"time of dense / live {name}", relative / value, limit, at_most=True)
    bench.record.save()


def _check_heads(bench: Bench, name: str, step: Prefill, spans: np.ndarray) -> None:
    """The last layer's shortest and longest head against float64."""
    layer = spans.shape[0] - 1
    step.out.fill_(float("nan"))
    step.run(layer)
    position = torch.arange(step.q.shape[0], device=bench.device)
    scale = softmax_scale(step.q.shape[2])
    for head in (int(spans[layer].argmin()), int(spans[layer].argmax())):
        seen = visible(position, position, SINK, int(spans[layer, head]) - SINK)
        expected, _ = attend(step.q[:, head], step.k[:, head], step.v[:, head], seen, scale)
        error = relative_error(step.out[:, head], expected)
        if not bench.record.check(f"prefill-at-scale {name}, span {spans[layer, head]}", error, AGREEMENT):
            raise RuntimeError(f"not timed: wrong at {name}")


def flex(bench: Bench) -> None:
    """FlexAttention with a sink and a window per head: compiled, so late."""
    bench.require("prefill rings d128")
    tokens = bench.tokens(8192)
    every = plan_spans(VICUNA_7B, tokens)
    layer = median_layer(every)
    spans = every[layer : layer + 1]
    q, k, v = inputs(bench, tokens, HEADS, 128)
    step = Prefill(bench, q, k, v, whole_segment(tokens), plan_cache(bench, spans, 128))
    windows = torch.from_numpy(spans[0] - 64).to(bench.device)
    peer = "FlexAttention"
    cases, missing = [Case("ours", lambda _: step.run())], {}
    add_peer(cases, missing, peer, lambda: flex_prefill_case(peer, *batched(q, k, v), windows))
    result = bench.timer.interleave(cases, bench.rounds)
    result.failed |= missing
    work = flop(int(visible_pairs(spans, tokens).sum()), 1, 128)
    name = f"vicuna-7b-v1.5-16k {tokens} tokens, layer {layer}, FlexAttention"
    bench.record.row("prefill", name, result, flop=work, ceiling="gemm")


#: values of MOABENCH_PREFILL_KERNEL
KERNELS = ("wgmma", "mma", "simt")


def kernels(bench: Bench) -> None:
    """The library's own prefill kernels side by side, each chosen by the environment of a copy of it."""
    tokens = bench.tokens(8192)
    for head_dim in (128, 64):
        with bench.guard(f"prefill kernels d{head_dim}"):
            q, k, v = inputs(bench, tokens, HEADS, head_dim)
            step = Prefill(bench, q, k, v, whole_segment(tokens))
            cases = [Case("ours", lambda _, step=step: step.run())]
            for kernel in KERNELS:
                with bench.guard(f"prefill kernel {kernel} d{head_dim}"):
                    cases.append(_kernel_case(bench, kernel, step))
            result = bench.timer.interleave(cases, 6)
            name = f"kernels, dense causal B1 32/32 {tokens} d{head_dim}"
            work = flop(causal_pairs(tokens), HEADS, head_dim)
            bench.record.row("prefill", name, result, flop=work, ceiling="gemm")


def _kernel_case(bench: Bench, kernel: str, ours: Prefill) -> Case:
    ours.run()
    torch.cuda.synchronize()
    q, k, v = ours.q, ours.k, ours.v
    with environment(MOABENCH_PREFILL_KERNEL=kernel):
        context = load_copy(bench.arguments.lib)
        step = Prefill(bench, q, k, v, whole_segment(q.shape[0]), context=context)
        torch.cuda.synchronize()
        step.run()  # reads the environment
        context.synchronize()
    error = relative_error(step.out, ours.out)
    if not bench.record.check(f"prefill-at-scale kernel {kernel} d{q.shape[2]}", error, AGREEMENT, "against ours"):
        raise RuntimeError(f"not timed: wrong in {kernel}")
    return Case(kernel, lambda _: step.run(), stream=context.torch_stream)

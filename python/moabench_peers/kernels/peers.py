"""PyTorch's attention kernels as cases. A kernel that this PyTorch lacks raises Unavailable with the reason."""

import numpy as np
import torch
import torch.nn.functional as F

from ..worker import Unavailable
from .timing import Case

SINK = 64


def sdpa_case(name: str, backend: str, sets: list, **options) -> Case:
    """scaled_dot_product_attention by one backend; sets: [(q, k, v)] of [B, H, T, D], one per rotation."""
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        chosen = getattr(SDPBackend, backend)
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"no SDPBackend.{backend}: {error}") from error

    def call(i: int) -> None:
        with sdpa_kernel(chosen):
            F.scaled_dot_product_attention(*sets[i], **options)

    return Case(name, call, rotations=len(sets), recorder="torch")


def folded(sets: list, group: int) -> list:
    """The sets with decode queries [B, Hkv * group, 1, D] viewed as `group` query tokens of each KV head.

    The kernel then needs no support for grouped queries (GQA).
    """
    return [(q.view(q.shape[0], -1, group, q.shape[3]), k, v) for q, k, v in sets]


def varlen_case(name: str, q, k, v, group: int, spans: np.ndarray) -> Case:
    """FlashAttention-2 on unequal spans: varlen_attn in which every (sequence, KV head) is a sequence of its own.

    q [n * group, 1, D]; k, v [sum of spans, 1, D]; spans int [n]. The query heads of a group are
    `group` query tokens without a mask.
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError as error:
        raise Unavailable(f"no varlen_attn: {error}") from error
    n = spans.size
    key_ends = np.concatenate([[0], np.cumsum(spans)]).astype(np.int32)
    query_ends = np.arange(0, (n + 1) * group, group, dtype=np.int32)
    cu_q, cu_k = (torch.from_numpy(ends).to(q.device) for ends in (query_ends, key_ends))
    longest = int(spans.max())

    def call(_: int) -> None:
        varlen_attn(q, k, v, cu_q, cu_k, group, longest)

    return Case(name, call)


def _flex():
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError as error:
        raise Unavailable(f"no flex_attention: {error}") from error
    return create_block_mask, torch.compile(flex_attention, dynamic=False)


def flex_prefill_case(name: str, q, k, v, windows: torch.Tensor) -> Case:
    """FlexAttention with sink + window per head: q, k, v [1, H, N, D], windows int [H] on the device."""
    create_block_mask, flex = _flex()
    tokens = q.shape[2]

    def mask(b, h, query, key):
        return (key <= query) & ((key < SINK) | (query - key < windows[h]))

    blocks = create_block_mask(mask, B=None, H=q.shape[1], Q_LEN=tokens, KV_LEN=tokens, device=q.device)

    def call(_: int) -> None:
        flex(q, k, v, block_mask=blocks)

    return Case(name, call)


def flex_decode_case(name: str, q, k, v, windows: torch.Tensor) -> Case:
    """FlexAttention over a dense cache with a mask per KV head: q [B, Hkv, group, D], k, v [B, Hkv, N, D]."""
    create_block_mask, flex = _flex()
    tokens = k.shape[2]

    def mask(b, h, query, key):
        return (key < SINK) | (tokens - 1 - key < windows[h])

    blocks = create_block_mask(mask, B=None, H=q.shape[1], Q_LEN=q.shape[2], KV_LEN=tokens, device=q.device)

    def call(_: int) -> None:
        flex(q, k, v, block_mask=blocks)

    return Case(name, call)

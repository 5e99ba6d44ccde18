"""Attention, its gradients and its influence in float64. The kernels are compared with these.

Positions and masks are as in src/native/backend.ts: query i sees key j iff j <= i and (j < sink or
i - j < window). That file has the formulas of influence too.
"""

import torch

#: Dtypes by their name in a spec.
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def relative_error(received: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference relative to the largest expected magnitude; NaN or infinity where received has one."""
    difference = (received.double() - expected.double()).abs().max()
    return float(difference / expected.double().abs().max().clamp_min(1e-30))


def visible(queries: torch.Tensor, keys: torch.Tensor, sink: int, window: int | None):
    """Which queries see which keys: bool [T, S], from positions [T] and [S]. window None: dense causal."""
    distance = queries[:, None] - keys[None, :]
    seen = distance >= 0
    return seen if window is None else seen & ((keys[None, :] < sink) | (distance < window))


def attend(q, k, v, seen, scale: float):
    """One head: q [T, D], k and v [S, D], seen bool [T, S] -> out [T, D] and log-sum-exp [T], float64."""
    scores = q.double() @ k.double().T * scale
    scores = scores.masked_fill(~seen, float("-inf"))
    return torch.softmax(scores, -1) @ v.double(), torch.logsumexp(scores, -1)


def attend_heads(q, k, v, seen_of, scale: float):
    """q [T, H, D], k and v [S, Hkv, D]; seen_of(kv_head) bool [T, S] -> out [T, H, D], log-sum-exp [T, H]."""
    group = q.shape[1] // k.shape[1]
    heads = [attend(q[:, h], k[:, h // group], v[:, h // group], seen_of(h // group), scale) for h in range(q.shape[1])]
    return torch.stack([out for out, _ in heads], 1), torch.stack([lse for _, lse in heads], 1)


def gradients(q, k, v, grad_out, scale: float):
    """Gradients of dense causal attention with respect to q, k and v, in float64, by automatic differentiation."""
    with torch.enable_grad():
        leaves = [x.double().detach().requires_grad_() for x in (q, k, v)]
        positions = torch.arange(q.shape[0], device=q.device)
        seen = visible(positions, positions, 0, None)
        out, _ = attend_heads(*leaves, lambda _: seen, scale)
        return torch.autograd.grad(out, leaves, grad_out.double())


def influence(q, k, v, out, grad_out, scale: float, epsilon: float, sink: int, bins: int):
    """The influence of one segment from position 0, float64 [3, Hkv, bins]: elementwise, elementwise_sink, joint."""
    tokens, heads, _ = q.shape
    kv_heads = k.shape[1]
    results = torch.zeros(3, kv_heads, bins, dtype=torch.float64, device=q.device)
    position = torch.arange(tokens, device=q.device)
    distance = position[:, None] - position[None, :]
    seen = distance >= 0
    bin_of = (distance.clamp_min(0) // 64)[seen]
    is_sink = (position[None, :] < sink).expand(tokens, tokens)
    for h in range(heads):
        kv = h // (heads // kv_heads)
        scores = (q[:, h].double() @ k[:, kv].double().T * scale).masked_fill(~seen, float("-inf"))
        weight = torch.softmax(scores, -1)
        gradient = grad_out[:, h].double() @ v[:, kv].double().T
        delta = (grad_out[:, h].double() * out[:, h].double()).sum(-1, keepdim=True)
        effect = (weight * (gradient - delta) / (epsilon + 1 - weight)).abs()
        effect[0] = (weight * gradient)[0].abs()
        for index, columns in ((0, ~is_sink), (1, is_sink)):
            chosen = (effect * columns)[seen]
            results[index, kv].index_add_(0, bin_of, chosen)
        results[2, kv] += _joint(weight, gradient, delta[:, 0], distance, is_sink, sink, bins)
    return results


def _joint(weight, gradient, delta, distance, is_sink, sink: int, bins: int):
    """The joint influence, float64 [bins], summed over the rows that have a far part.

    Each row adds |its mean gradient without the far part - delta|. The mean is weighted by the attention weights.
    """
    sums = []
    for b in range(bins):
        far = ~is_sink & (distance >= max(64 * b, 1))  # with b = 0, the row's own key is still kept
        kept = weight * ~far * (distance >= 0)
        change = ((kept * gradient).sum(-1) / kept.sum(-1) - delta).abs()
        sums.append((change * far.any(-1)).sum())
    return torch.stack(sums)

"""Backward and influence of dense causal attention; their times are compared with PyTorch's backward."""

import functools

import torch
import torch.nn.functional as F

from ..worker import Unavailable
from .attention_ops import Backward, Influence, Prefill, whole_segment
from .case import Check, KernelCase
from .prefill import batched, inputs
from .reference import relative_error
from .timing import Case

EPSILON = 2.0**-7  # of bf16, as in the released profile


class GradientCase(KernelCase):
    """spec: op (backward or influence), tokens, heads, kvHeads, headDim, dtype."""

    def __init__(self, device, spec):
        super().__init__(device, spec)
        self.q, self.k, self.v = inputs(device, spec)
        self.grad_out = torch.randn_like(self.q)

    @functools.cached_property
    def ours(self) -> Backward | Influence:
        step = Prefill(self.device, self.q, self.k, self.v, whole_segment(self.spec["tokens"]))
        step.run()
        return (
            Backward(step, self.grad_out) if self.spec["op"] == "backward" else Influence(step, self.grad_out, EPSILON)
        )

    def checks(self) -> list[Check]:
        """Compares gradients at the timed shape with PyTorch's in 16 bits.

        Influence is not checked here, because nothing else can compute it at this size.
        """
        if self.spec["op"] == "influence":
            return []
        with torch.enable_grad():
            leaves = [x.detach().requires_grad_() for x in batched(self.q, self.k, self.v)]
            out = F.scaled_dot_product_attention(*leaves, is_causal=True)
        expected = torch.autograd.grad(out, leaves, batched(self.grad_out))
        self.ours.run()
        pairs = zip("qkv", self.ours.grads, expected, strict=True)
        return [
            Check(
                f"attention_backward grad {which}",
                relative_error(received, wanted[0].transpose(0, 1)),
                "against torch's own choice",
            )
            for which, received, wanted in pairs
        ]

    def arm(self, spec):
        name, by = spec["id"], spec["by"]
        if by == "moabench":
            ours = self.ours
            return Case(name, lambda _: ours.run())
        if by == "sdpa-backward":
            return self._peer(name, spec["backend"])
        raise ValueError(f"Expected a contender of {self.spec['op']} for by but received {by}")

    def _peer(self, name: str, backend: str) -> Case:
        """Torch's backward alone: the autograd graph of one forward is kept, and each call runs it backward again."""
        try:
            from torch.nn.attention import SDPBackend, sdpa_kernel

            chosen = getattr(SDPBackend, backend)
        except (ImportError, AttributeError) as error:
            raise Unavailable(f"no SDPBackend.{backend}: {error}") from error
        with torch.enable_grad(), sdpa_kernel(chosen):
            leaves = [x.detach().requires_grad_() for x in batched(self.q, self.k, self.v)]
            out = F.scaled_dot_product_attention(*leaves, is_causal=True)
        (grad,) = batched(self.grad_out)
        return Case(name, lambda _: torch.autograd.grad(out, leaves, grad, retain_graph=True))

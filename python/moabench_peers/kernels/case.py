"""What the ops have in common: a case is made from a spec, checks what it will time, and makes arms."""

import dataclasses
import math

from .device import Device
from .timing import Case


@dataclasses.dataclass
class Check:
    """A correctness check: the largest error, and against what. moabench has its limit."""

    name: str
    error: float
    note: str = ""
    arm: str | None = None  # where it says something about one arm only

    def json(self) -> dict:
        error = self.error if math.isfinite(self.error) else None
        return {"name": self.name, "error": error, "note": self.note, "arm": self.arm}


class KernelCase:
    """Tensors of one shape. Subclasses have `checks()` and `arm(spec)`.

    What an arm finds while it is made goes into `found`.
    """

    def __init__(self, device: Device, spec: dict):
        self.device, self.spec = device, spec
        self.found: list[Check] = []

    def checks(self) -> list[Check]:
        """Of our kernel at the timed shape itself."""
        return []

    def arm(self, spec: dict) -> Case:
        """The contender that a spec {id, by, ...} names. @raises Unavailable where this machine has none."""
        raise NotImplementedError

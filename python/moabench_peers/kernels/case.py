"""The base class of all cases: a case is made from a spec, checks what it will time, and makes arms."""

import dataclasses
import math

from .device import Device
from .timing import Case


@dataclasses.dataclass
class Check:
    """The result of a correctness check: the largest error, and a note with what it is compared with.

    moabench holds the limit.
    """

    name: str
    error: float
    note: str = ""
    arm: str | None = None  # the arm that was checked; None: our own kernel

    def json(self) -> dict:
        error = self.error if math.isfinite(self.error) else None
        return {"name": self.name, "error": error, "note": self.note, "arm": self.arm}


class KernelCase:
    """Tensors of one shape. Subclasses have `checks()` and `arm(spec)`.

    Checks that are made while an arm is made go into `found`.
    """

    def __init__(self, device: Device, spec: dict):
        self.device, self.spec = device, spec
        self.found: list[Check] = []

    def checks(self) -> list[Check]:
        """The checks of our kernel at the timed shape itself."""
        return []

    def arm(self, spec: dict) -> Case:
        """The contender that a spec {id, by, ...} names. @raises Unavailable when this machine cannot run it."""
        raise NotImplementedError

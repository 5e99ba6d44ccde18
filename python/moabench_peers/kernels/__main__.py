"""The peer `pytorch-kernels`: python -m moabench_peers.kernels [cuda|cpu]. `moabench bench --peers` starts it."""

import gc
import platform
import sys

import torch

from ..worker import sentence, serve
from .case import KernelCase
from .ceilings import CopyCase, MatmulCase, ReadCase
from .checks import CHECKS
from .decode import DecodeCase
from .device import Device
from .gemm import GemmCase
from .gradient import GradientCase
from .prefill import PrefillCase
from .rows import ROWS
from .timing import Case

#: The class of a case, by the op of its spec.
CASES = {
    "read": ReadCase,
    "copy": CopyCase,
    "matmul": MatmulCase,
    "decode": DecodeCase,
    "prefill": PrefillCase,
    "backward": GradientCase,
    "influence": GradientCase,
    "gemm": GemmCase,
    **ROWS,
}


def _versions(is_cuda: bool) -> dict:
    found = {"python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda}
    cudnn = torch.backends.cudnn.version() if is_cuda else None
    found["cudnn"] = None if cudnn is None else str(cudnn)
    try:
        import triton

        found["triton"] = triton.__version__
    except ImportError:
        found["triton"] = None
    return found


def _device_facts(is_cuda: bool) -> dict:
    if not is_cuda:
        return {"name": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    capability = "{}.{}".format(*torch.cuda.get_device_capability())
    return {"name": torch.cuda.get_device_name(), "capability": capability}


class Kernels:
    """Answers the requests of src/peers/kernel-protocol.ts. One case is prepared at a time."""

    def __init__(self, name: str):
        self.name = name
        self.device: Device | None = None

    def describe(self) -> dict:
        is_cuda = self.name == "cuda"
        if is_cuda:
            torch.cuda.init()
        torch.set_grad_enabled(False)
        return {"versions": _versions(is_cuda), "device": _device_facts(is_cuda)}

    def open(self, request: dict) -> dict:
        """Opens the library, if there is one, and sets the size of the pool of random numbers."""
        self.device = Device(self.name, request["library"], request["poolBytes"])
        clock = self.device.timer.clock
        reader = None if clock is None else "NVML" if clock.read() else clock.reason
        library = self.device.context.describe() if request["library"] else None
        return {"library": library, "clockReader": reader}

    def check(self, request: dict) -> dict:
        spec = request["spec"]
        try:
            return {"checks": [found.json() for found in CHECKS[spec["op"]](self.device, spec)]}
        finally:
            self._free()

    def prepare(self, request: dict) -> dict:
        """Makes a case, checks it, and warms up its arms. For an arm that cannot run, the reply has the reason."""
        self.release({})
        spec = request["spec"]
        case = CASES[spec["op"]](self.device, spec)
        checks = case.checks() if request["check"] else []
        arms, reasons = self._arms(case, request["arms"])
        reasons |= self.device.timer.prepare(arms)
        ready = {one.name: {"mode": self.device.timer.mode(one.name)} for one in arms if one.name not in reasons}
        lacking = {name: {"unavailable": reason} for name, reason in reasons.items()}
        return {"checks": [found.json() for found in checks + case.found], "arms": {**ready, **lacking}}

    def _arms(self, case: KernelCase, specs: list[dict]) -> tuple[list[Case], dict[str, str]]:
        arms, reasons = [], {}
        for spec in specs:
            try:
                arms.append(case.arm(spec))
            except Exception as error:
                reasons[spec["id"]] = sentence(error)
        return arms, reasons

    def time(self, request: dict) -> dict:
        """The samples: in each round, one of every arm that the round names, in the round's order."""
        samples = self.device.timer.sample(request["rounds"])
        return {
            "samplesMs": samples.ms,
            "hostUs": samples.host_us,
            "clocks": [list(reading) for reading in samples.clocks],
        }

    def release(self, _: dict) -> dict:
        """Frees the prepared case."""
        self.device.timer.close()
        self._free()
        return {}

    def _free(self) -> None:
        gc.collect()  # tracebacks and closures may still hold tensors
        self.device.release()


def main(name: str) -> None:
    if name == "cuda" and not torch.cuda.is_available():
        raise SystemExit("Expected a GPU that PyTorch can use but it finds none")
    kernels = Kernels(name)
    handlers = ("open", "check", "prepare", "time", "release")
    serve("pytorch-kernels", kernels.describe, {ask: getattr(kernels, ask) for ask in handlers})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cuda")

"""What this device is, and what it reaches at best in this run: reading, copying, bf16 matrix products."""

import hashlib
import pathlib
import platform
import shutil
import subprocess

import torch
import torch.nn.attention

from bench import Bench
from timing import Case

READ_BYTES = 4 << 30


def _command(*arguments: str) -> str | None:
    if shutil.which(arguments[0]) is None:
        return None
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    return result.stdout.strip() or result.stderr.strip()


def environment(bench: Bench) -> None:
    """Versions, device and library: everything that the figures depend on."""
    meta = bench.record.data["meta"]
    query = "name,driver_version,clocks.max.sm,clocks.max.mem,clocks.sm,power.limit,ecc.mode.current"
    nvcc = _command("nvcc", "--version")
    meta |= {
        "commit": bench.arguments.commit,
        "gpu": torch.cuda.get_device_name(),
        "capability": torch.cuda.get_device_capability(),
        "nvidia_smi": _command("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"),
        "nvcc": nvcc.splitlines()[-1] if nvcc else None,
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "python": platform.python_version(),
        "library_path": bench.arguments.lib,
        "library_sha256": hashlib.sha256(pathlib.Path(bench.arguments.lib).read_bytes()).hexdigest(),
        "clock_reader": "NVML" if bench.timer.clock.read() else bench.timer.clock.reason,
    }
    try:
        import triton

        meta["triton"] = triton.__version__
    except ImportError:
        meta["triton"] = None
    attention = torch.nn.attention
    if hasattr(attention, "list_flash_attention_impls"):
        meta["flash_attention_impls"] = str(attention.list_flash_attention_impls())
    for name, value in meta.items():
        print(f"{name}: {value}", flush=True)
    bench.record.save()


def measure(bench: Bench) -> None:
    ceilings = bench.record.ceilings
    with bench.guard("read-only bandwidth"):
        _read(bench, ceilings)
    with bench.guard("copy bandwidth"):
        half = min(READ_BYTES // 4, bench.pool.numel() // 2)
        source, target = bench.take((half,)), bench.take((half,), half)
        result = bench.timer.time(Case("copy", lambda _: target.copy_(source)), bench.rounds)
        ceilings["copy"] = 4 * half / result.timings["copy"].ms / 1e9
        ceilings["samples_ms"]["copy"] = result.timings["copy"].samples_ms
    with bench.guard("matrix products"):
        n = bench.tokens(8192)
        a, b = (bench.take((n, n), i * n * n) for i in range(2))
        out = torch.empty(n, n, dtype=a.dtype, device=a.device)
        result = bench.timer.time(Case("mm", lambda _: torch.mm(a, b, out=out)), bench.rounds)
        ceilings["gemm"] = 2 * n**3 / result.timings["mm"].ms / 1e9
        ceilings["samples_ms"]["gemm"] = result.timings["mm"].samples_ms
        print(f"bf16 {n}^3: {ceilings['gemm']:.0f} TFLOP/s at {result.sm_mhz} MHz, {result.watts} W")
    print({name: round(ceilings[name], 3) for name in ("read", "copy", "gemm") if name in ceilings}, flush=True)
    bench.record.save()


def _read(bench: Bench, ceilings: dict) -> None:
    """The best of several read-only sums over 4 GiB; all are recorded."""
    words = bench.take((min(READ_BYTES // 2, bench.pool.numel() // 8 * 8),)).view(torch.int32)
    floats = words.view(torch.float32)
    cases = [
        Case("torch.sum f32", lambda _: floats.sum()),
        Case("torch.amax i32", lambda _: words.amax()),
    ]
    try:
        from read_kernel import read_cases

        cases += read_cases(words)
    except Exception as error:  # no Triton, or none that loads
        print(f"no Triton reduction: {error}")
    found = {}
    for case in cases:
        with bench.guard(case.name):
            result = bench.timer.time(case, bench.rounds)
            found[case.name] = 4 * words.numel() / result.timings[case.name].ms / 1e9
            ceilings["samples_ms"][f"read {case.name}"] = result.timings[case.name].samples_ms
            print(f"read {case.name}: {found[case.name]:.3f} TB/s", flush=True)
    ceilings["read"] = max(found.values())

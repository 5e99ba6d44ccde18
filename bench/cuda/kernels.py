"""Benchmarks libmoabench_cuda.so beside PyTorch's kernels on one GPU; writes one JSON record and prints a table last.

    python bench/cuda/kernels.py --lib native/build-cuda/libmoabench_cuda.so --out kernels.json

This process never touches the GPU: it runs all units in a child process, --processes times, and watches it. A unit that
crashes, loses the device or hangs costs itself; the child is started again with the units after it.
"""

import argparse
import dataclasses
import gc
import importlib
import os
import pathlib
import subprocess
import sys
import time

SECTIONS = ("environment", "ceilings", "check", "decode", "prefill", "gradient", "glue", "gemm")


@dataclasses.dataclass(frozen=True)
class Unit:
    """A function of one module that adds rows. Units are what is lost as a whole when the device is."""

    name: str
    section: str
    function: str  # module.function
    limit_s: int  # after which it hangs


#: In order of importance: what runs out of time is at the end. Compiled peers are slow, so late.
UNITS = (
    Unit("environment", "environment", "ceilings.environment", 60),
    Unit("ceilings", "ceilings", "ceilings.measure", 90),
    Unit("check-decode", "check", "checks.decode", 45),
    Unit("check-prefill", "check", "checks.prefill", 45),
    Unit("check-gradient", "check", "checks.gradient", 45),
    Unit("decode-dense", "decode", "decode.dense", 60),
    Unit("prefill-dense", "prefill", "prefill.dense", 60),
    Unit("decode-plans", "decode", "decode.plans", 90),
    Unit("prefill-plans", "prefill", "prefill.plans", 60),
    Unit("gradient", "gradient", "gradient.measure", 60),
    Unit("decode-small", "decode", "decode.small", 60),
    Unit("prefill-kernels", "prefill", "prefill.kernels", 60),
    Unit("decode-sweep", "decode", "decode_sweep.sweep", 90),
    Unit("gemm", "gemm", "gemm.measure", 60),
    Unit("glue", "glue", "glue.measure", 120),
    Unit("decode-flex", "decode", "decode.flex", 120),
    Unit("prefill-flex", "prefill", "prefill.flex", 120),
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lib", required=True, help="libmoabench_cuda.so")
    parser.add_argument("--out", required=True, help="JSON record, saved after every row")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="sections or units, by commas")
    parser.add_argument("--commit", default=None, help="noted in the record")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--processes", type=int, default=3, help="launches that run everything once each; what differs between them is noise too")
    parser.add_argument("--budget", type=int, default=360, help="seconds after which no unit is begun")
    parser.add_argument("--shrink", type=int, default=1, help="divides shapes: to try this program")
    parser.add_argument("--process", type=int, default=None, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def chosen_units(sections: str) -> list[Unit]:
    wanted = sections.split(",")
    unknown = set(wanted) - set(SECTIONS) - {unit.name for unit in UNITS}
    if unknown:
        raise SystemExit(f"Expected sections of {', '.join(SECTIONS)} but received {', '.join(unknown)}")
    return [unit for unit in UNITS if unit.section in wanted or unit.name in wanted]


def run_child(arguments: argparse.Namespace) -> int:
    """Runs the units here. Exit code 3: the device is lost, and the record says in which unit."""
    import torch

    from bench import Bench, DeviceLost
    from record import Record

    torch.set_grad_enabled(False)
    torch.cuda.init()
    record = Record(arguments.out, arguments.process)
    bench = Bench(arguments, record)
    for unit in chosen_units(arguments.sections):
        if time.time() > record.data["meta"]["deadline"]:
            record.fail(unit.name, "whole unit", "skipped: out of time")
            continue
        bench.unit = unit.name
        _progress(arguments.out).write_text(f"{unit.name} {time.time()}")
        print(f"\n==== {unit.name} at {time.time() - record.data['meta']['began']:.0f} s", flush=True)
        module, function = unit.function.split(".")
        try:
            with bench.guard("whole unit"):
                getattr(importlib.import_module(module), function)(bench)
        except DeviceLost as error:
            record.fail(unit.name, "whole unit", f"the device was lost: {error}")
            return 3
        record.data["done"].append({"process": arguments.process, "unit": unit.name})
        record.save()
        gc.collect()
        torch.cuda.empty_cache()
    sys.stdout.flush()
    os._exit(0)  # no teardown of the driver's and the library's static objects


def _progress(out: str) -> pathlib.Path:
    return pathlib.Path(out + ".progress")


def _watch(child: subprocess.Popen, out: str) -> tuple[str | None, str]:
    """Waits for the child: the unit it was in when it ended, and why it ended early, if it did."""
    progress = _progress(out)
    limits = {unit.name: unit.limit_s for unit in UNITS}
    begun, unit = time.time(), None
    while child.poll() is None:
        time.sleep(0.2)
        text = progress.read_text().split() if progress.exists() else []
        if len(text) == 2:
            unit, begun = text[0], float(text[1])
        limit = limits.get(unit, 120)
        if time.time() - begun > limit:
            child.kill()
            child.wait()
            return unit, f"killed after {limit} s: the device or a compiler hangs"
    code = child.returncode
    return unit, "" if code == 0 else f"the process ended with code {code}"


def supervise(arguments: argparse.Namespace) -> int:
    from record import Record, print_table

    out = pathlib.Path(arguments.out)
    out.unlink(missing_ok=True)
    record = Record(arguments.out)
    began = time.time()
    meta = record.data["meta"]
    meta |= {"began": began, "deadline": began + arguments.budget, "arguments": sys.argv[1:]}
    record.save()
    for process in range(arguments.processes):
        _run_process(arguments, process)
    _progress(arguments.out).unlink(missing_ok=True)
    record = Record(arguments.out)
    record.data["meta"]["elapsed_s"] = time.time() - began
    record.save()
    print_table(record.data)
    print(f"{record.data['meta']['elapsed_s']:.0f} s; {len(record.data['rows'])} rows in {arguments.out}")
    failed = record.data["failures"] or any(not c["passed"] for c in record.data["checks"])
    return 1 if failed else 0


def _run_process(arguments: argparse.Namespace, process: int) -> None:
    """Runs all units in a launch of its own; one that breaks it is recorded, and another launch goes on with the units after it."""
    from record import Record

    units = chosen_units(arguments.sections)
    while units:
        _progress(arguments.out).unlink(missing_ok=True)
        names = ",".join(unit.name for unit in units)
        command = [sys.executable, __file__, *_passed_on(arguments), "--sections", names, "--process", str(process)]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        unit, reason = _watch(child, arguments.out)
        if not reason:
            return
        Record(arguments.out, process).fail(unit or "start", "whole unit", reason)
        if unit is None:  # not even started: the next child would not either
            return
        units = units[[u.name for u in units].index(unit) + 1 :]


def _passed_on(arguments: argparse.Namespace) -> list[str]:
    options = ["--lib", arguments.lib, "--out", arguments.out, "--shrink", str(arguments.shrink)]
    options += ["--commit", arguments.commit] if arguments.commit else []
    return options + (["--quick"] if arguments.quick else [])


def main() -> int:
    arguments = parse()
    arguments.lib = str(pathlib.Path(arguments.lib).resolve())
    return supervise(arguments) if arguments.process is None else run_child(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""Device times of calls that are interleaved on one stream, in rounds whose order moabench chose.

Cold L2: a case goes round `rotations` sets of buffers, so many that together they exceed L2 five times.
Calls of less than GRAPH_BELOW_MS are recorded in CUDA graphs, others timed one by one between events;
a spinning kernel goes first, so that the host is ahead of the device and launches do not show.
On the CPU every call is timed by itself.
"""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from ..worker import sentence

GRAPH_BELOW_MS = 0.5
GRAPH_MS = 1.0  # of recorded calls per replay
COLD_BYTES = 320_000_000  # over five times the 60 MB of L2
MOST_SPIN_S = 0.3
CHUNK_ROUNDS = 10  # between synchronizations
SPIN_HZ = 1.9e9  # cycles per second of torch.cuda._sleep, roughly


def rotations_for(bytes_per_call: int, limit: int = 320) -> int:
    """Buffer sets needed for a cold L2."""
    return max(1, min(limit, math.ceil(COLD_BYTES / max(bytes_per_call, 1))))


@dataclasses.dataclass
class Case:
    """`call(i)` enqueues one call on buffer set i, 0 <= i < rotations."""

    name: str
    call: Callable[[int], None]
    rotations: int = 1
    recorder: object = None  # what records graphs of it: a Context of ours, "torch", or None
    stream: object = None  # torch stream that it runs on; None: the current one


@dataclasses.dataclass
class Samples:
    ms: dict[str, list[float]]  # by case, one a round
    host_us: dict[str, float]  # of the host to enqueue a call (or its share of a graph's launch), median
    clocks: list[tuple[float, float]]  # SM MHz and watts, meanwhile


def significant(ms: float) -> float:
    """Six digits: finer than any clock here."""
    return float(f"{ms:.6g}")


class Clock:
    """Reads SM clock and power by NVML where nvidia-ml-py is installed; never sets anything."""

    def __init__(self):
        self._nvml = self._handle = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(torch.cuda.current_device())
            self._nvml = pynvml
        except Exception as error:  # no NVML: times without clocks
            self.reason = repr(error)

    def read(self) -> tuple[float, float] | None:
        """SM MHz and watts."""
        if self._nvml is None:
            return None
        nvml = self._nvml
        try:
            mhz = nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_SM)
            return float(mhz), nvml.nvmlDeviceGetPowerUsage(self._handle) / 1000
        except Exception as error:
            self._nvml, self.reason = None, repr(error)
            return None


class _Prepared:
    """A warmed-up case: `enqueue` runs `calls` calls."""

    def __init__(self, case: Case):
        self.case, self.calls, self.mode = case, 1, "events"
        self._next = 0
        self._graph = None

    def enqueue_call(self) -> None:
        self.case.call(self._next % self.case.rotations)
        self._next += 1

    def enqueue(self) -> None:
        if self._graph is None:
            self.enqueue_call()
        else:
            self._graph()

    def record(self, calls: int) -> None:
        """Turns `enqueue` into the replay of a graph of `calls` calls."""

        def enqueue_all():
            for i in range(calls):
                self.case.call(i % self.case.rotations)

        if self.case.recorder == "torch":
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                enqueue_all()
            self._graph = graph.replay
        else:
            self._owner = self.case.recorder.capture(enqueue_all)
            self._graph = self._owner.launch
        self.calls, self.mode = calls, f"graph of {calls}"

    def close(self) -> None:
        if self._graph is not None and self.case.recorder != "torch":
            self._owner.destroy()
        self._graph = None


class Timer:
    """prepare() warms cases up, sample() times them in rounds, close() lets go of them."""

    def __init__(self, device: torch.device):
        self.is_cuda = device.type == "cuda"
        self.clock = Clock() if self.is_cuda else None
        self._prepared: dict[str, _Prepared] = {}

    def prepare(self, cases: list[Case]) -> dict[str, str]:
        """Warms up and records graphs where a call is short. Gives the cases that cannot run, with a reason."""
        estimates, failed = {}, {}
        for case in cases:
            try:
                one = _Prepared(case)
                estimates[case.name] = self._warm_up(one)
                self._prepared[case.name] = one
            except Exception as error:
                self._synchronize()  # raises again when the device is lost
                failed[case.name] = sentence(error)
        if self.is_cuda and estimates and min(estimates.values()) < GRAPH_BELOW_MS:
            for name, one in self._prepared.items():
                self._record(one, estimates[name])
        return failed

    def mode(self, name: str) -> str:
        """How a prepared case is timed: `graph of n`, `events` or `host clock`."""
        return self._prepared[name].mode if self.is_cuda else "host clock"

    def sample(self, rounds: list[list[str]]) -> Samples:
        """One sample of every case that a round names, in the round's order."""
        marks: dict[str, list[tuple[float, float]]] = {name: [] for name in self._prepared}
        clocks = []
        host_s = self._host_seconds()
        for start in range(0, len(rounds), CHUNK_ROUNDS):
            chunk = rounds[start : start + CHUNK_ROUNDS]
            order = [self._prepared[name] for names in chunk for name in names]
            for one, ms, enqueue_s in self._chunk(order, host_s * len(chunk), clocks):
                marks[one.case.name].append((ms / one.calls, enqueue_s / one.calls))
        ms = {name: [significant(m) for m, _ in marks[name]] for name in marks}
        host_us = {name: float(np.median([s for _, s in marks[name]])) * 1e6 for name in marks if marks[name]}
        return Samples(ms, host_us, clocks)

    def close(self) -> None:
        for one in self._prepared.values():
            one.close()
        self._prepared = {}

    def _synchronize(self) -> None:
        if self.is_cuda:
            torch.cuda.synchronize()

    def _warm_up(self, one: _Prepared) -> float:
        """Runs every buffer set once and estimates milliseconds per call."""
        for _ in range(max(2, one.case.rotations)):
            one.enqueue_call()
        self._synchronize()
        return min(self._timed(one) for _ in range(2))

    def _timed(self, one: _Prepared) -> float:
        if not self.is_cuda:
            return self._on_host(one)[0]
        stream = torch.cuda.current_stream() if one.case.stream is None else one.case.stream
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.stream(stream):
            torch.cuda._sleep(int(2e-4 * SPIN_HZ))
            begin.record(stream)
            one.enqueue_call()
            end.record(stream)
        end.synchronize()
        return begin.elapsed_time(end)

    def _record(self, one: _Prepared, estimate: float) -> None:
        if one.case.recorder is None:
            return
        turns = math.ceil(GRAPH_MS / max(estimate, 1e-3) / one.case.rotations)
        calls = min(max(turns, 1) * one.case.rotations, max(256, one.case.rotations))
        try:
            one.record(calls)
            one.enqueue()
            torch.cuda.synchronize()
        except Exception as error:
            one.close()
            torch.cuda.synchronize()
            one.calls, one.mode = 1, f"events; no graph: {error}"[:200]

    def _host_seconds(self) -> float:
        """Warms up, and finds what enqueueing every case once costs the host."""
        prepared = list(self._prepared.values())
        if not self.is_cuda:
            return 0.0
        begun = time.perf_counter()
        for one in prepared + prepared[::-1]:
            self._mark(one)
        host_s = (time.perf_counter() - begun) / 2
        torch.cuda.synchronize()
        return host_s

    def _chunk(self, order: list[_Prepared], host_s: float, clocks: list) -> list[tuple[_Prepared, float, float]]:
        """Case, milliseconds and the host's seconds of calls that are enqueued together."""
        if not self.is_cuda:
            return [(one, *self._on_host(one)) for one in order]
        # 20% more than the host needs to enqueue the chunk; bounded, should something stall it.
        torch.cuda._sleep(int(min(1.2 * host_s + 2e-4, MOST_SPIN_S) * SPIN_HZ))
        marks = [(one, *self._mark(one)) for one in order]
        reading = self.clock.read()
        torch.cuda.synchronize()
        clocks += [reading] if reading else []
        return [(one, begin.elapsed_time(end), enqueue_s) for one, begin, end, enqueue_s in marks]

    def _on_host(self, one: _Prepared) -> tuple[float, float]:
        begun = time.perf_counter()
        one.enqueue()
        seconds = time.perf_counter() - begun
        return seconds * 1e3, seconds

    def _mark(self, one: _Prepared):
        """Enqueues a case between two events of its stream, behind all that was enqueued before."""
        current = torch.cuda.current_stream()
        stream = current if one.case.stream is None else one.case.stream
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if stream != current:
            stream.wait_stream(current)
        begin.record(stream)
        begun = time.perf_counter()
        one.enqueue()
        enqueue_s = time.perf_counter() - begun
        end.record(stream)
        if stream != current:
            current.wait_stream(stream)
        return begin, end, enqueue_s

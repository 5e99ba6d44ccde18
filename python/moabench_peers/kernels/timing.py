"""Device times of calls that are interleaved on one stream, in rounds whose order moabench chose.

L2 is cold: a case cycles through `rotations` sets of buffers, which together are over five times as large as L2.
When the shortest case of a shape takes less than GRAPH_BELOW_MS, cases are recorded in CUDA graphs; otherwise calls are
timed one by one between events. A spinning kernel runs first, so that the host is ahead of the device and launch costs
do not show. On the CPU every call is timed by itself.
"""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from ..worker import sentence

GRAPH_BELOW_MS = 0.5
GRAPH_MS = 1.0  # time that the calls recorded in one graph take together
COLD_BYTES = 320_000_000  # over five times the 60 MB of L2
MOST_SPIN_S = 0.3
CHUNK_ROUNDS = 10  # rounds between two synchronizations
SPIN_HZ = 1.9e9  # cycles per second of torch.cuda._sleep, roughly


def rotations_for(bytes_per_call: int, limit: int = 320) -> int:
    """How many sets of buffers a case needs so that L2 is cold, 1..limit."""
    return max(1, min(limit, math.ceil(COLD_BYTES / max(bytes_per_call, 1))))


@dataclasses.dataclass
class Case:
    """A contender to time. `call(i)` enqueues one call on buffer set i, 0 <= i < rotations."""

    name: str
    call: Callable[[int], None]
    rotations: int = 1
    recorder: object = None  # what records its graphs: a Context of ours, or "torch"; None: it has no graphs
    stream: object = None  # torch stream on which it runs; None: the current one


@dataclasses.dataclass
class Samples:
    ms: dict[str, list[float]]  # ms per call by case, one for each round that names the case
    host_us: dict[str, float]  # median host time to enqueue a call, or a call's share of a graph's launch
    clocks: list[tuple[float, float]]  # readings of SM MHz and watts during the timing


def significant(ms: float) -> float:
    """`ms` rounded to six digits, which is finer than any clock here."""
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
        """SM MHz and watts; None when they cannot be read, and then `reason` says why."""
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
    """A case that is ready to be timed. `enqueue` enqueues `calls` calls: one, or a graph of several."""

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
        """Records a graph of `calls` calls. From then on `enqueue` replays this graph."""

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
    """Times cases: prepare() warms them up, sample() times them in rounds, close() releases them."""

    def __init__(self, device: torch.device):
        self.is_cuda = device.type == "cuda"
        self.clock = Clock() if self.is_cuda else None
        self._prepared: dict[str, _Prepared] = {}

    def prepare(self, cases: list[Case]) -> dict[str, str]:
        """Warms cases up, and records graphs when the shortest call is short.

        Returns the reasons of the cases that cannot run, by name.
        """
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
        """Seconds that the host needs to enqueue every case once. Measuring this also warms the cases up."""
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
        """Times cases that are enqueued together: for each, the case, milliseconds, and seconds of the host."""
        if not self.is_cuda:
            return [(one, *self._on_host(one)) for one in order]
        # The spin lasts 20% longer than the host needs to enqueue the chunk. It is bounded in case a stall made host_s large.
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
        """Enqueues a case between two events on its stream, after everything that was enqueued before."""
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

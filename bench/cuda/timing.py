"""Paired device times of calls that are interleaved on one stream, every round in a random order of its own.

Cold L2: a case goes round `rotations` sets of buffers, so many that together they exceed L2 five times.
Calls of less than GRAPH_BELOW_MS are recorded in CUDA graphs, others timed one by one between events;
a spinning kernel goes first, so that the host is ahead of the device and launches do not show.
"""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import torch

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
class Timing:
    ms: float  # median
    host_us: float  # of the host to enqueue a call (or its share of a graph's launch), median
    samples_ms: list[float]  # one a round: equal indices of two cases were taken side by side
    ratio: float | None  # median of t / t of the first case over the rounds; whoever reads the samples makes the interval
    mode: str  # "graph of n" or "events"


@dataclasses.dataclass
class Result:
    timings: dict[str, Timing]
    failed: dict[str, str]  # cases that could not run: reason
    sm_mhz: float | None
    watts: float | None


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
        self.enqueue_s: list[float] = []
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
    def __init__(self, seed: int = 0):
        self.clock = Clock()
        self._rng = np.random.default_rng(seed)

    def interleave(self, cases: list[Case], rounds: int) -> Result:
        """Times of all cases, one sample a round each. The first must run; others may fail, with a reason."""
        prepared, failed, estimates = [], {}, []
        for index, case in enumerate(cases):
            try:
                one = _Prepared(case)
                estimates.append(self._warm_up(one))
                prepared.append(one)
            except Exception as error:
                torch.cuda.synchronize()  # raises again when the device is lost
                if index == 0:
                    raise
                failed[case.name] = f"{type(error).__name__}: {error}"[:300]
        try:
            if min(estimates) < GRAPH_BELOW_MS:
                self._record(prepared, estimates)
            samples, clocks = self._sample(prepared, rounds)
        finally:
            for one in prepared:
                one.close()
        timings = {}
        for one in prepared:
            times = samples[one.case.name]
            first = samples[prepared[0].case.name]
            ratio = None if one is prepared[0] else float(np.median(times / first))
            host_us = float(np.median(one.enqueue_s)) * 1e6
            kept = [significant(ms) for ms in times]
            timings[one.case.name] = Timing(float(np.median(times)), host_us, kept, ratio, one.mode)
        mhz, watts = np.median(np.array(clocks), axis=0).tolist() if clocks else (None, None)
        return Result(timings, failed, mhz, watts)

    def time(self, case: Case, samples: int = 10) -> Result:
        """One case alone."""
        return self.interleave([case], samples)

    def _warm_up(self, one: _Prepared) -> float:
        """Runs every buffer set once and estimates milliseconds per call."""
        for _ in range(max(2, one.case.rotations)):
            one.enqueue_call()
        torch.cuda.synchronize()
        return min(self._timed(one) for _ in range(2))

    def _timed(self, one: _Prepared) -> float:
        stream = torch.cuda.current_stream() if one.case.stream is None else one.case.stream
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.stream(stream):
            torch.cuda._sleep(int(2e-4 * SPIN_HZ))
            begin.record(stream)
            one.enqueue_call()
            end.record(stream)
        end.synchronize()
        return begin.elapsed_time(end)

    def _record(self, prepared: list[_Prepared], estimates: list[float]) -> None:
        for one, estimate in zip(prepared, estimates, strict=True):
            if one.case.recorder is None:
                continue
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

    def _sample(self, prepared: list[_Prepared], rounds: int):
        """Samples by case, one a round. Every round has its own random order, so that no case always follows the same other one."""
        samples = {one.case.name: [] for one in prepared}
        clocks = []
        begun = time.perf_counter()
        for one in prepared + prepared[::-1]:  # to warm up, and to see what enqueueing costs the host
            self._mark(one)
        host_s = (time.perf_counter() - begun) / 2
        torch.cuda.synchronize()
        while rounds > 0:
            count = min(rounds, CHUNK_ROUNDS)
            rounds -= count
            order = [prepared[i] for _ in range(count) for i in self._rng.permutation(len(prepared))]
            # 20% more than the host needs to enqueue the chunk; bounded, should something stall it.
            torch.cuda._sleep(int(min(1.2 * host_s * count + 2e-4, MOST_SPIN_S) * SPIN_HZ))
            marks = [(one, *self._mark(one)) for one in order]
            reading = self.clock.read()
            torch.cuda.synchronize()
            clocks += [reading] if reading else []
            for one, begin, end, enqueue_s in marks:
                samples[one.case.name].append(begin.elapsed_time(end) / one.calls)
                one.enqueue_s.append(enqueue_s / one.calls)
        return {name: np.array(times) for name, times in samples.items()}, clocks

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

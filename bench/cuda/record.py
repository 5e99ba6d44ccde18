"""The benchmark's JSON record and the table made of it.

{"meta", "ceilings": [{process, read, copy, gemm, samples}], "checks", "rows", "failures", "done"}; a row is of one process and has
ours_ms, timing {samples_ms, ...}, rate and its unit, percent of a ceiling of its process, peers {name: timing} with ratio = median of
the peer's time / ours (above 1: ours is faster), and targets {name: {value, limit, met}}. Intervals are made by who reads the samples:
rounds of a process are paired by their index, and processes are what varies.
"""

import dataclasses
import json
import math
import os
import pathlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the supervising process prints tables without loading PyTorch
    from timing import Result

SECTIONS = ("decode", "prefill", "gradient", "glue", "gemm")
EMPTY = {"meta": {}, "ceilings": [], "checks": [], "rows": [], "failures": [], "done": []}


def _json_value(value):
    return value.item() if hasattr(value, "item") else str(value)


def _lines(data: dict) -> str:
    """JSON with one entry of a list a line: raw samples stay readable by tools, and a diff by people."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            entries = ",\n".join(json.dumps(entry, default=_json_value) for entry in value)
            parts.append(f'"{key}": [\n{entries}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value, default=_json_value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


class Record:
    def __init__(self, path: str, process: int = 0):
        self.path = pathlib.Path(path)
        self.process = process
        text = self.path.read_text() if self.path.exists() else None
        self.data = json.loads(text) if text else json.loads(json.dumps(EMPTY))

    def save(self) -> None:
        """Written beside and renamed, so that a killed run leaves a whole file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(self.path.name + ".partial")
        partial.write_text(_lines(self.data))
        os.replace(partial, self.path)

    def fail(self, unit: str, label: str, reason: str) -> None:
        self.data["failures"].append({"process": self.process, "unit": unit, "label": label, "reason": reason})
        print(f"FAILED {unit} / {label}: {reason}", flush=True)
        self.save()

    def check(self, name: str, error: float, limit: float, note: str = "") -> bool:
        """A correctness check: largest error relative to the reference's largest magnitude."""
        passed = error <= limit  # false for NaN
        stored = error if math.isfinite(error) else str(error)  # JSON has no NaN
        entry = {"process": self.process, "name": name, "error": stored, "limit": limit, "passed": passed, "note": note}
        self.data["checks"].append(entry)
        print(
            f"{'ok   ' if passed else 'WRONG'} {name}: {error:.2e} (limit {limit:.0e}) {note}",
            flush=True,
        )
        self.save()
        return passed

    def wrong(self, checks: str) -> bool:
        """Whether a check whose name begins so failed, or its unit as a whole did."""
        kernel = checks.split()[0]
        unit = {"decode": "check-decode", "prefill": "check-prefill"}.get(kernel, "check-gradient")
        lost = any(f["unit"] == unit and f["label"] == "whole unit" for f in self.data["failures"])
        return lost or any(c["name"].startswith(checks) and not c["passed"] for c in self.data["checks"])

    @property
    def ceilings(self) -> dict:
        """What this process found that the device reaches at best: TB/s and TFLOP/s, with the samples."""
        found = [c for c in self.data["ceilings"] if c["process"] == self.process]
        if not found:
            found = [{"process": self.process, "samples_ms": {}}]
            self.data["ceilings"] += found
        return found[0]

    def ceiling(self, name: str) -> float | None:
        return self.ceilings.get(name)

    def row(self, section: str, name: str, result: "Result", **facts) -> dict:
        """Adds a row; the result's first case is ours. facts: bytes, flop, ceiling, note, targets, ..."""
        ours, *others = result.timings.items()
        peers = {peer: dataclasses.asdict(timing) for peer, timing in others}
        peers |= {peer: {"unavailable": reason} for peer, reason in result.failed.items()}
        row = {"process": self.process, "section": section, "name": name, "ours_ms": ours[1].ms}
        row |= {"timing": dataclasses.asdict(ours[1]), "peers": peers}
        row |= {"sm_mhz": result.sm_mhz, "watts": result.watts, **facts}
        per_ms = facts.get("flop") or facts.get("bytes")
        if per_ms:
            row["rate"] = per_ms / ours[1].ms / 1e9
            row["rate_unit"] = "TFLOP/s" if facts.get("flop") else "TB/s"
            ceiling = self.ceiling(facts.get("ceiling", ""))
            row["percent"] = 100 * row["rate"] / ceiling if ceiling else None
        self.data["rows"].append(row)
        self.data["meta"]["elapsed_s"] = time.time() - self.data["meta"].get("began", time.time())
        print(format_row(row), flush=True)
        self.save()
        return row


def target(row: dict, name: str, value: float | None, limit: float, at_most: bool) -> None:
    """Notes on a row whether a figure is within its limit."""
    met = None if value is None else (value <= limit if at_most else value >= limit)
    row.setdefault("targets", {})[name] = {"value": value, "limit": limit, "met": met}
    sign = "<=" if at_most else ">="
    shown = "-" if value is None else f"{value:.3f}"
    print(f"    target {name}: {shown} {sign} {limit} -> {'met' if met else 'MISSED'}", flush=True)


def _format_peer(name: str, peer: dict) -> str:
    if "unavailable" in peer:
        return f"{name}: unavailable ({peer['unavailable'][:60]})"
    return f"{name} {peer['ms']:.4f} ms x{peer['ratio']:.3f} n={len(peer['samples_ms'])}"


def format_row(row: dict) -> str:
    rate = f"{row['rate']:8.2f} {row['rate_unit']:7}" if "rate" in row else " " * 16
    percent = f"{row['percent']:5.1f}%" if row.get("percent") is not None else "      "
    clock = f"{row['sm_mhz']:.0f} MHz" if row.get("sm_mhz") else ""
    note = f"host {row['timing']['host_us']:.0f} us {row.get('note', '')}"
    lines = [f"{row['section']:8} {row['name']:44} {row['ours_ms']:9.4f} ms {rate} {percent} {clock} {note}"]
    lines += [f"    {_format_peer(name, peer)}" for name, peer in row["peers"].items()]
    return "\n".join(lines)


def _compact(rows: list[dict]) -> str:
    """One line of a row's processes: the middle process's figures, peers with their range over processes."""
    row = sorted(rows, key=lambda r: r["ours_ms"])[len(rows) // 2]
    rate = f"{row['rate']:6.1f}" if row.get("flop") else f"{row['rate']:6.2f}" if "rate" in row else ""
    percent = f"{row['percent']:.1f}%" if row.get("percent") is not None else ""
    peers = []
    for name in row["peers"]:
        ratios = sorted(r["peers"][name]["ratio"] for r in rows if "ratio" in r["peers"].get(name, {}))
        if not ratios:
            peers.append(f"{name} none")
            continue
        peers.append(f"{name} {ratios[len(ratios) // 2]:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    n = f" n={len(row['timing']['samples_ms'])} x {len(rows)}"
    return f"{row['name'][:50]:50}{row['ours_ms']:9.4f}{rate:>7}{percent:>7} {'; '.join(peers)}{n}"


def print_table(data: dict) -> None:
    """All there is on as few lines as can be: the end of a log may be all that a reader gets."""
    print("\n==== table: ms, TB/s (attention forward and backward, large gemm: TFLOP/s), % of ceiling;")
    print("peers: their time / ours of the middle process (least to largest of the processes), above 1: ours is faster")
    for section in SECTIONS:
        named = {}
        for row in data["rows"]:
            if row["section"] == section:
                named.setdefault(row["name"], []).append(row)
        if named:
            print(f"-- {section}")
        for rows in named.values():
            print(_compact(rows))
    for table in data.get("tables", []):
        print(f"-- {table['title']}\n{table['text']}")
    wrong = [c for c in data["checks"] if not c["passed"]]
    print(f"-- checks: {len(data['checks']) - len(wrong)} passed, {len(wrong)} wrong")
    for check in wrong:
        print(f"WRONG {check['name']}: {check['error']} > {check['limit']} {check['note']}")
    for failure in data["failures"]:
        last = failure["reason"].strip().splitlines()[-1][:160]
        print(f"FAILED {failure['unit']} / {failure['label']}: {last}")
    goals = [(row["name"], *goal) for row in data["rows"] for goal in row.get("targets", {}).items()]
    for name, figure, goal in goals:
        if not goal["met"]:
            print(f"MISSED {name}: {figure} = {goal['value']} (limit {goal['limit']})")
    print(f"-- targets: {sum(goal['met'] is True for _, _, goal in goals)} of {len(goals)} met")
    for ceilings in data["ceilings"]:
        print(f"-- ceilings: { {name: round(value, 3) for name, value in ceilings.items() if name != 'samples_ms'} }")

"""How long facts and probes take on a CPU, from nothing to the last answer, against importing torch and PyG.

    python benchmarks/environment.py

Each round starts what a smoke run starts: the clean process that forks, the survey, every fact, and every probe that a
CPU has. Interleaved with it, a fresh interpreter imports torch and torch_geometric. The ratio of the two is what can be
compared between machines.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from gnnbench.environment import ForkServer, survey
from suites.environment.probing import PROBES, Probing

#: Probes of GPUs, and what has a tier of its own without one: a compiler starts cold.
_NOT_HERE = ("device/nvrtc", "device/compiled", "limits/pinned_memory", "limits/neighbor_loader")
#: Those that take the name of a device.
_OF_DEVICES = ("device/", "child/")

#: In an interpreter of its own, for facts are read once a process.
_ROUND = "from benchmarks.environment import one_round; one_round()"


def one_round() -> None:
    """Read every fact and run every probe; prints the seconds."""
    started = time.perf_counter()
    with ForkServer(["torch"]) as server:
        survey.begin(server)
        probing = Probing(server)
        probes = {
            name: probing.start(
                name, "cpu" if name.startswith(_OF_DEVICES) and name != "device/copies" else ""
            )
            for name in PROBES
            if name not in _NOT_HERE
        }
        from gnnbench.environment import collect

        found = collect()
        bad = {name: report.describe() for name, probe in probes.items() if not (report := probe.wait()).ok}
        errors = {key: fact.error for key, fact in found.facts.items() if fact.error}
    if bad or errors:
        raise SystemExit(f"expected every probe to end well and every fact to be read, found {bad} {errors}")
    print(time.perf_counter() - started, len(probes), len(found.facts))


def _seconds(code: str) -> tuple[float, str]:
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, ended.stdout


def main() -> None:
    """Interleave the two, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ours, theirs, words = [], [], ""
    for _ in range(rounds):
        theirs.append(_seconds("import torch, torch_geometric")[0])
        words = _seconds(_ROUND)[1]
        ours.append(float(words.split()[0]))
    _, probes, facts = words.split()
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    print(
        f"{facts} facts and {probes} probes: {statistics.median(ours):.2f} s ({min(ours):.2f} to {max(ours):.2f})"
    )
    print(
        f"importing torch and PyG: {statistics.median(theirs):.2f} s ({min(theirs):.2f} to {max(theirs):.2f})"
    )
    print(
        f"ratio: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), {rounds} interleaved rounds"
    )


if __name__ == "__main__":
    main()

"""What a smoke run costs, as a multiple of importing torch and PyTorch Geometric on the same machine.

    python benchmarks/smoke.py --rounds 5 --data /data/planetoid

The two take turns, so that what else the machine does falls on both. The bar is a ratio of 4 on two cores
without a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time


def seconds(command: list[str]) -> float:
    """Wall time of one process, in seconds; raises `CalledProcessError` where it fails."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    """Print each round, then the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", default="", help="folder of data sets, as for `gnnbench run`")
    arguments = parser.parse_args()
    imports = [sys.executable, "-c", "import torch, torch_geometric"]
    with tempfile.TemporaryDirectory() as folder:
        smoke = [sys.executable, "-m", "gnnbench", "run", "--tier", "smoke", "--output", folder]
        smoke += ["--data", arguments.data] if arguments.data else []
        ratios = []
        print(f"{'round':>5}  {'import':>8}  {'smoke run':>9}  {'ratio':>5}")
        for number in range(1, arguments.rounds + 1):
            before, run, after = seconds(imports), seconds(smoke), seconds(imports)
            ratios.append(run / statistics.fmean([before, after]))
            print(f"{number:>5}  {(before + after) / 2:>6.1f} s  {run:>7.1f} s  {ratios[-1]:>5.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()

"""How often correct backends are called wrong: random graphs through all of them, forward and backward.

Every graph comes from its number, so that a failure can be made again by that number. Each of forward, dX, dW
and db that a backend gives is one comparison with the float64 oracle, within the componentwise bound for float32.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import click
import torch
from torch import Tensor
from tqdm import tqdm

from gnnbench.graphs import RandomChoices
from gnnbench.numerics import (
    Oracle,
    Quantity,
    RandomLayer,
    compare,
    evaluate,
    gcn_bounds,
    gcn_oracle,
    random_layer,
)
from gnnbench.reference import Backend, UnsupportedByBackend, backends

#: For backends that compile: each pair costs them a program and some seconds.
COMPILED_WIDTHS = ((1, 1), (3, 8), (8, 3), (16, 5))

#: Failures of one backend that are told as they happen.
TOLD = 5


@dataclass
class Tally:
    """What came of one backend, or of all."""

    name: str
    graphs: int = 0
    refused: int = 0
    comparisons: int = 0
    failures: int = 0
    worst: float = 0.0
    """The largest error ÷ bound."""
    worst_graph: int = -1
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.name:<20}{self.graphs:>9,}{self.refused:>9,}{self.comparisons:>13,}{self.failures:>10,}"
            f"{self.worst:>9.3f}{'-' if self.worst_graph < 0 else self.worst_graph:>10}{self.seconds:>9.1f} s"
        )

    def take(
        self,
        number: int,
        layer: RandomLayer,
        oracle: Oracle,
        bounds: Mapping[Quantity, Tensor],
        backend: Backend,
        device: torch.device,
    ) -> None:
        """Put one layer through the backend."""
        start = time.perf_counter()
        try:
            bound = backend.bind(layer.graph, device=device, dtype=torch.float32, self_loops=layer.self_loops)
            found = evaluate(bound, layer.inputs.to(device))
        except UnsupportedByBackend:
            self.refused += 1
            return
        except Exception as error:
            self.fail(number, layer, f"{type(error).__name__}: {error}")
            return
        finally:
            self.seconds += time.perf_counter() - start
        self.graphs += 1
        for name, largest in bounds.items():
            comparison = compare(name, getattr(found, name), oracle, largest, device=device)
            self.comparisons += 1
            if comparison.ratio > self.worst:
                self.worst, self.worst_graph = comparison.ratio, number
            if not comparison.passed:
                self.fail(number, layer, comparison.summary)

    def fail(self, number: int, layer: RandomLayer, what: str) -> None:
        """Count a failure, and tell of the first few."""
        self.failures += 1
        if self.failures <= TOLD:
            tqdm.write(f"{self.name}, graph {number} ({layer}): {what}", file=sys.stderr)

    def add(self, other: Tally) -> None:
        """Take another backend in."""
        self.graphs += other.graphs
        self.refused += other.refused
        self.comparisons += other.comparisons
        self.failures += other.failures
        self.seconds += other.seconds
        if other.worst > self.worst:
            self.worst, self.worst_graph = other.worst, other.worst_graph


@click.command(help=__doc__)
@click.option("--graphs", default=2000, show_default=True)
@click.option(
    "--compiled-graphs",
    type=int,
    help="For backends that compile, which get the same graphs with four pairs of widths.  [default: --graphs]",
)
@click.option("--first", default=0, show_default=True, help="Number of the first graph.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--backend", "names", multiple=True, help="Only these; may be given several times.")
def main(graphs: int, compiled_graphs: int | None, first: int, device: str, names: tuple[str, ...]) -> None:
    """Print the table; the exit code is 1 where anything failed or nothing was compared."""
    place = torch.device(device)
    torch.set_num_threads(1)  # the graphs are small: threads would only wait for each other
    tallies = {backend: Tally(backend.name) for backend in backends() if not names or backend.name in names}
    compiling = [backend for backend in tallies if getattr(backend, "tier", "smoke") != "smoke"]
    plain = [backend for backend in tallies if backend not in compiling]
    fewer = graphs if compiled_graphs is None else compiled_graphs
    with tqdm(total=graphs * len(plain) + fewer * len(compiling), disable=None, unit="layer") as bar:
        for group, count, widths in ((plain, graphs, ()), (compiling, fewer, COMPILED_WIDTHS)):
            for number in range(first, first + count if group else first):
                layer = random_layer(RandomChoices(number), widths)
                oracle = oracle_of(layer)
                bounds = gcn_bounds(oracle)
                for backend in group:
                    bar.set_description_str(backend.name, refresh=False)
                    tallies[backend].take(number, layer, oracle, bounds, backend, place)
                    bar.update()
    total = Tally("total")
    for tally in tallies.values():
        total.add(tally)
    click.echo(f"torch {torch.__version__}, {place}, float32, graphs from number {first} on")
    click.echo(
        f"{'backend':<20}{'graphs':>9}{'refused':>9}{'comparisons':>13}{'failures':>10}{'margin':>9}"
        f"{'on graph':>10}{'time':>11}"
    )
    click.echo("\n".join(map(str, (*tallies.values(), total))))
    sys.exit(int(total.failures > 0 or not total.comparisons))


def oracle_of(layer: RandomLayer) -> Oracle:
    """What is right."""
    inputs = layer.inputs
    return gcn_oracle(
        layer.graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops=layer.self_loops
    )


if __name__ == "__main__":
    main()

"""How the backends compare in speed: ratios taken in one run, interleaved, as medians.

Absolute times on a shared machine mean little, so every line also shows the ratio to the default backend,
from the same rounds. Within a round the backends take turns in a new random order.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping
from functools import partial

import click
import torch
from torch import Tensor

from gnnbench.graphs import Graph, NodeClassification, planetoid, power_law, stochastic_block_model_cora
from gnnbench.reference import Layer, UnsupportedByBackend, backends, train
from gnnbench.timing import clock

DEFAULT = "csr"


@click.command(help=__doc__)
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--nodes", default=100_000, show_default=True)
@click.option("--edges", default=1_000_000, show_default=True)
@click.option("--features", default=64, show_default=True, help="Width of x and of the result.")
@click.option("--rounds", default=7, show_default=True, help="Of single layers.")
@click.option("--training-rounds", default=3, show_default=True)
@click.option("--epochs", default=200, show_default=True)
@click.option("--threads", type=int, help="CPU threads; torch's own choice by default.")
@click.option("--data", type=click.Path(), help="A folder that holds Cora/raw; else the stand-in is used.")
@click.option("--backend", "names", multiple=True, help="Only these; may be given several times.")
@click.option("--only", type=click.Choice(["layers", "training"]), help="Only this table.")
def main(
    device: str,
    nodes: int,
    edges: int,
    features: int,
    rounds: int,
    training_rounds: int,
    epochs: int,
    threads: int | None,
    data: str | None,
    names: tuple[str, ...],
    only: str | None,
) -> None:
    """Print both tables."""
    place = torch.device(device)
    if threads:
        torch.set_num_threads(threads)
    click.echo(f"torch {torch.__version__}, {place}, {torch.get_num_threads()} CPU threads")
    if only != "training":
        compare_layers(place, nodes=nodes, edges=edges, width=features, rounds=rounds, names=names)
    if only != "layers":
        dataset = planetoid("Cora", data) if data else stochastic_block_model_cora()
        compare_trainings(place, dataset, epochs=epochs, rounds=training_rounds)


def compare_layers(
    device: torch.device, *, nodes: int, edges: int, width: int, rounds: int, names: tuple[str, ...]
) -> None:
    """One layer on a power-law graph: forward, and forward with all gradients."""
    skeleton = power_law(nodes, edges, seed=0, device=device)
    # With weights, for PyG's way to a sparse matrix loses the number of unweighted duplicates.
    graph = Graph(skeleton.edge_index, nodes, skeleton.weights())
    generator = torch.Generator().manual_seed(0)
    x, weight, upstream = (
        torch.randn(*shape, generator=generator).to(device)
        for shape in ((nodes, width), (width, width), (nodes, width))
    )
    operands = (x, weight, torch.zeros(width, device=device))
    forward: dict[str, Callable[[], object]] = {}
    step: dict[str, Callable[[], object]] = {}
    for backend in backends():
        if names and backend.name not in names:
            continue
        try:
            layer = backend.bind(graph, device=device, dtype=torch.float32)
        except UnsupportedByBackend as unsupported:
            click.echo(f"  left out: {unsupported}")
            continue
        forward[backend.name] = partial(layer, *operands)
        step[backend.name] = partial(_step, layer, operands, upstream)
    size = f"{nodes:,} nodes, {edges:,} edges, {width} features"
    _report(f"forward, {size}", _medians(forward, rounds, device))
    _report(f"forward and backward, {size}", _medians(step, rounds, device))


def _step(layer: Layer, operands: tuple[Tensor, ...], upstream: Tensor) -> object:
    x, weight, bias = (operand.detach().requires_grad_() for operand in operands)
    return torch.autograd.grad(layer(x, weight, bias), (x, weight, bias), upstream)


def compare_trainings(device: torch.device, data: NodeClassification, *, epochs: int, rounds: int) -> None:
    """The whole training of the two-layer model: ours, and as a loop with PyG and dense features has it."""
    trainings = {
        f"{DEFAULT}, sparse features": partial(train, data, backend=DEFAULT),
        f"{DEFAULT}, dense features": partial(train, data, backend=DEFAULT, sparse_features=False),
        "pyg, dense features": partial(train, data, backend="pyg", sparse_features=False),
    }
    works = {name: partial(work, device=device, epochs=epochs) for name, work in trainings.items()}
    _report(f"training, {epochs} epochs on {data.name}", _medians(works, rounds, device))


def _medians(
    works: Mapping[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Median seconds of each, from `rounds` rounds after one to warm up."""
    read = clock(device)
    taken: dict[str, list[float]] = {name: [] for name in works}
    order = random.Random(0)  # noqa: S311 - an order, not a secret
    for round_number in range(rounds + 1):
        for name in order.sample(list(works), len(works)):
            start = read()
            works[name]()
            if round_number:
                taken[name].append(read() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _report(title: str, medians: Mapping[str, float]) -> None:
    click.echo(f"\n{title}")
    if not medians:
        click.echo("  nothing to compare")
        return
    # The default comes first where it takes part.
    base = next((name for name in medians if name.startswith(DEFAULT)), next(iter(medians)))
    for name, seconds in sorted(medians.items(), key=lambda item: item[1]):
        click.echo(f"  {name:<22} {seconds * 1e3:>11.2f} ms   {seconds / medians[base]:>7.2f} x {base}")


if __name__ == "__main__":
    main()

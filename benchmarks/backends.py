"""How the backends compare in speed: ratios taken in one run, interleaved, as medians.

    python benchmarks/backends.py --device cpu --rounds 7

Absolute times on a shared machine mean little, so every line also shows the ratio to the default backend, from the
same rounds. Within a round the backends take turns in a new random order.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Mapping

import torch

from gnnbench.graphs import Graph, NodeClassification, planetoid, power_law, stochastic_block_model_cora
from gnnbench.reference import UnsupportedByBackend, backends, train
from gnnbench.timing import clock

DEFAULT = "csr"


def main() -> None:
    """Print both tables."""
    options = _options()
    device = torch.device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} CPU threads")
    if not options.only_training:
        compare_layers(options, device)
    compare_trainings(options, device)


def compare_layers(options: argparse.Namespace, device: torch.device) -> None:
    """One layer on a power-law graph: forward, and forward with all gradients."""
    edges = power_law(options.nodes, options.edges, seed=0, device=device)
    # With weights, for PyG's way to a sparse matrix loses the number of unweighted duplicates.
    graph = Graph(edges.edge_index, edges.num_nodes, edges.weights())
    width = options.features
    generator = torch.Generator().manual_seed(0)
    x, weight, upstream = (
        torch.randn(*shape, generator=generator).to(device)
        for shape in ((options.nodes, width), (width, width), (options.nodes, width))
    )
    bias = torch.zeros(width, device=device)
    forward: dict[str, Callable[[], object]] = {}
    step: dict[str, Callable[[], object]] = {}
    for backend in backends():
        if options.backend and backend.name not in options.backend:
            continue
        try:
            layer = backend.bind(graph, device=device, dtype=torch.float32)
        except UnsupportedByBackend as unsupported:
            print(f"  left out: {unsupported}")
            continue
        parameters = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
        forward[backend.name] = lambda layer=layer: layer(x, weight, bias)
        step[backend.name] = lambda layer=layer, parameters=parameters: torch.autograd.grad(
            layer(*parameters), parameters, upstream
        )
    size = f"{options.nodes:,} nodes, {options.edges:,} edges, {width} features"
    _report(f"forward, {size}", _medians(forward, options.rounds, device))
    _report(f"forward and backward, {size}", _medians(step, options.rounds, device))


def compare_trainings(options: argparse.Namespace, device: torch.device) -> None:
    """The whole training of the two-layer model, ours and as a loop with PyG and dense features has it."""
    data: NodeClassification = (
        planetoid("Cora", options.data) if options.data else stochastic_block_model_cora()
    )
    trainings = {
        f"{DEFAULT}, sparse features": (DEFAULT, True),
        f"{DEFAULT}, dense features": (DEFAULT, False),
        "pyg, dense features": ("pyg", False),
    }
    works = {
        name: lambda backend=backend, sparse=sparse: train(
            data, backend=backend, sparse_features=sparse, device=device, epochs=options.epochs
        )
        for name, (backend, sparse) in trainings.items()
    }
    title = f"training, {options.epochs} epochs on {data.name}"
    _report(title, _medians(works, min(options.rounds, options.training_rounds), device))


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
    print(f"\n{title}")
    if not medians:
        print("  nothing to compare")
        return
    # The default comes first where it takes part.
    base = next((name for name in medians if name.startswith(DEFAULT)), next(iter(medians)))
    for name, seconds in sorted(medians.items(), key=lambda item: item[1]):
        print(f"  {name:<22} {seconds * 1e3:>11.2f} ms   {seconds / medians[base]:>7.2f} x {base}")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--training-rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--threads", type=int, help="CPU threads; torch's own choice by default")
    parser.add_argument("--data", help="a folder that holds Cora/raw; else the stand-in is used")
    parser.add_argument("--backend", action="append", help="only these; may be given several times")
    parser.add_argument("--only-training", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()

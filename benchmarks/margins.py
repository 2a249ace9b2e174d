"""How far clean kernels and faulty ones are from their bounds, and what fixed tolerances say of the same numbers.

    python benchmarks/margins.py --figure docs/figures/margins.svg

A margin is error ÷ bound: at most 1 passes. Every clean backend and every fault is put through the probe graphs
of the equivalence suite, forward and backward; a dot is the worst entry of one quantity on one graph. Beside
it stands what the rules of other projects answer, given the same result and the same float64 oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from gnnbench.faults.defects import merged, rounded, twice, without
from gnnbench.faults.mutant import Mutant
from gnnbench.graphs import Graph, power_law, probe_graphs
from gnnbench.numerics import QUANTITIES, LayerInputs, evaluate, gcn_bounds, gcn_oracle, real_inputs
from gnnbench.reference import UnsupportedByBackend, backends

#: (rtol, atol) of |got - expected| <= atol + rtol·|expected|, for float32, and where it stands.
RULES = {
    "torch": (1.3e-6, 1e-5),  # torch/testing/_comparison.py
    "PyG": (1e-5, 1e-6),  # test/nn/conv/test_gcn_conv.py: atol=1e-6, and allclose's rtol
    "DGL": (1e-4, 1e-4),  # tests/python/common/backend: assert_allclose
}

FAULTS = {
    "one message dropped": Mutant(normalised=without(17)),
    "one edge counted twice": Mutant(normalised=twice(17)),
    "self-loops missing": Mutant(loops="none"),
    "duplicates merged": Mutant(edges=merged),
    "transposed": Mutant(edges=lambda s, t, w, n: (t, s, w)),
    "degree without the loop": Mutant(degree=lambda d: d - 1),
    "D⁻¹A": Mutant(normalise=lambda s, t, w, d: w / d[t]),
    "operands in TF32": Mutant(operands=rounded(11)),
    "operands in bfloat16": Mutant(operands=rounded(8)),
    "transposed in backward": Mutant(backward=lambda e: (e[1], e[0], e[2])),
}


@dataclass(frozen=True, slots=True)
class Margin:
    """The worst entry of one quantity on one graph, and which rules call it wrong."""

    name: str
    clean: bool
    graph: str
    quantity: str
    ratio: float
    wrong_by: frozenset[str]


@click.command(help=__doc__)
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Write the figure here (needs the report extra)."
)
@click.option("--seeds", default=3, show_default=True, help="Draws of the operands on each graph.")
def main(figure: Path | None, seeds: int) -> None:
    """Print the table, and draw the figure."""
    torch.set_num_threads(1)
    margins = list(measure(seeds))
    click.echo(
        f"{'':<26} {'comparisons':>11} {'worst margin':>13} {'least':>9}   called wrong by: ours  "
        + "  ".join(f"{rule:>5}" for rule in RULES)
    )
    for name in dict.fromkeys(margin.name for margin in margins):
        own = [margin for margin in margins if margin.name == name]
        ratios = [margin.ratio for margin in own]
        counts = [sum(rule in margin.wrong_by for margin in own) for rule in RULES]
        click.echo(
            f"{name:<26} {len(own):>11} {max(ratios):>13.2g} {min(ratios):>9.2g}   "
            f"{sum(ratio > 1 for ratio in ratios):>20}  " + "  ".join(f"{count:>5}" for count in counts)
        )
    if figure is not None:
        draw(margins, figure)
        click.echo(f"figure: {figure}")


def measure(seeds: int) -> Iterator[Margin]:
    """Every backend and fault on every probe graph."""
    graphs: list[tuple[str, Graph, tuple[int, int]]] = [
        (probe.name, probe.graph, probe.widths)
        for probe in probe_graphs()
        if probe.graph.num_edges > 17 and probe.graph.num_nodes < 2000
    ]
    graphs.append(("Cora-like", power_law(2708, 10556, seed=1, device="cpu"), (1433, 16)))
    for name, graph, widths in graphs:
        for seed in range(seeds):
            inputs = real_inputs(graph.num_nodes, *widths, seed=seed)
            if name == "Cora-like":
                inputs = bag_of_words(inputs)
            yield from on_graph(name, graph, inputs)


def bag_of_words(inputs: LayerInputs) -> LayerInputs:
    """Row-normalised features with 18 words a node, as Cora's are."""
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros_like(inputs.x)
    words = torch.rand(x.shape, generator=generator).topk(18, dim=1).indices
    return LayerInputs(
        x=x.scatter_(1, words, 1 / 18), weight=inputs.weight, bias=inputs.bias, upstream=inputs.upstream
    )


def on_graph(name: str, graph: Graph, inputs: LayerInputs) -> Iterator[Margin]:
    """One graph with one draw of operands."""
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    bounds = gcn_bounds(oracle)
    clean: dict[str, Any] = {one.name: one for one in backends() if getattr(one, "tier", "smoke") == "smoke"}
    for kind, one in [*clean.items(), *FAULTS.items()]:
        try:
            layer: Callable[..., Tensor] = one.bind(graph, device=torch.device("cpu"), dtype=torch.float32)
        except UnsupportedByBackend:
            continue
        found = evaluate(layer, inputs.to("cpu"))
        for quantity in QUANTITIES:
            got, expected = getattr(found, quantity).double(), oracle.of(quantity)
            error = (got - expected).abs()
            excess = torch.where(
                bounds[quantity] > 0, error / bounds[quantity], torch.where(error > 0, torch.inf, 0)
            )
            wrong = {
                rule
                for rule, (rtol, atol) in RULES.items()
                if bool((error > atol + rtol * expected.abs()).any())
            }
            yield Margin(kind, kind in clean, name, quantity, float(excess.max()), frozenset(wrong))


def draw(margins: list[Margin], path: Path) -> None:
    """A strip of dots for each backend and fault, on a logarithmic axis with the bound at 1."""
    from gnnbench.report.vega import draw as to_svg

    names = list(dict.fromkeys(margin.name for margin in margins))
    dots = [
        {"row": one.name, "x": min(max(one.ratio, 1e-4), 1e7), "kind": "clean" if one.clean else "faulty"}
        for one in margins
        if one.ratio > 0 and (one.clean or one.quantity != "db")
    ]
    x: dict[str, Any] = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [1e-4, 1e7], "nice": False},
        "axis": {"title": "error ÷ bound", "format": "~e", "grid": True, "tickCount": 6, "gridOpacity": 0.3},
    }
    spec: dict[str, Any] = {
        "width": 520,
        "height": {"step": 18},
        "config": {
            "background": "white",
            "font": "system-ui, sans-serif",
            "axis": {"labelFontSize": 12, "titleFontSize": 12},
            "view": {"stroke": None},
        },
        "layer": [
            {
                "data": {"values": dots},
                "mark": {"type": "point", "filled": True, "size": 22, "opacity": 0.55},
                "encoding": {
                    "x": x,
                    "y": {
                        "field": "row",
                        "type": "ordinal",
                        "sort": names,
                        "axis": {"title": None, "ticks": False},
                    },
                    "color": {
                        "field": "kind",
                        "scale": {"domain": ["clean", "faulty"], "range": ["#3d83c5", "#d9483b"]},
                        "legend": {"title": None, "orient": "top"},
                    },
                    "shape": {
                        "field": "kind",
                        "scale": {"domain": ["clean", "faulty"], "range": ["circle", "diamond"]},
                        "legend": None,
                    },
                },
            },
            {
                "data": {"values": [{"x": 1}]},
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": x},
            },
        ],
    }
    svg = to_svg(
        spec, "Error divided by bound, for clean backends and for faulty ones; the table has the numbers."
    )
    path.write_text(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n")


if __name__ == "__main__":
    main()

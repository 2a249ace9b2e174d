"""Which flipped bits each tier sees: one bit of one entry of a correct result is turned over, and judged.

    python benchmarks/bit_flips.py --figure docs/figures/bit_flips.svg

Tier 0 compares bit for bit, so it sees all but the sign of a zero. Tier 1 sees what is larger than rounding explains.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from gnnbench.faults.defects import flipped
from gnnbench.graphs import Graph, exact_probe_graphs, probe_graphs
from gnnbench.numerics import (
    LayerInputs,
    Oracle,
    compare,
    compare_exact,
    exact_inputs,
    gcn_bound,
    gcn_oracle,
    real_inputs,
)
from gnnbench.reference import backend

BITS = 32
PARTS = {range(23): "fraction", range(23, 31): "exponent", range(31, 32): "sign"}


@click.command(help=__doc__)
@click.option("--flips", default=200, show_default=True, help="Entries tried for each bit and tier.")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Write the figure here (needs the report extra)."
)
def main(flips: int, figure: Path | None) -> None:
    """Print the table, and draw the figure."""
    torch.set_num_threads(1)
    exact = next(probe.graph for probe in exact_probe_graphs() if probe.name == "exact_plain")
    real = next(probe.graph for probe in probe_graphs() if probe.name == "random")
    seen = {
        "Tier 0": detected(exact, exact_inputs(exact.num_nodes), flips, exact=True),
        "Tier 1": detected(real, real_inputs(real.num_nodes), flips, exact=False),
    }
    click.echo(f"{'bit':>3}  {'':<8}  " + "  ".join(f"{tier:>6}" for tier in seen))
    for bit in reversed(range(BITS)):
        part = next(name for bits, name in PARTS.items() if bit in bits)
        click.echo(f"{bit:>3}  {part:<8}  " + "  ".join(f"{shares[bit]:>6.0%}" for shares in seen.values()))
    if figure is not None:
        draw(seen, figure)


def detected(graph: Graph, inputs: LayerInputs, flips: int, *, exact: bool) -> list[float]:
    """For each bit the share of flips that turn the comparison red."""
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    bound = None if exact else gcn_bound(oracle, "forward")
    layer = backend("csr").bind(graph, device=torch.device("cpu"), dtype=torch.float32)
    right = layer(inputs.x, inputs.weight, inputs.bias)
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(right.numel(), (flips,), generator=generator).tolist()
    return [
        sum(not passes(right, place, bit, oracle, bound) for place in places) / flips for bit in range(BITS)
    ]


def passes(right: Tensor, place: int, bit: int, oracle: Oracle, bound: Tensor | None) -> bool:
    """Whether the result with that bit turned over is still called right."""
    wrong = right.clone().flatten()
    wrong[place] = flipped(bit)(wrong[place])
    found: Any = wrong.reshape(right.shape)
    if bound is None:
        return compare_exact("forward", found, oracle).passed
    return compare("forward", found, oracle, bound).passed


def draw(seen: dict[str, list[float]], path: Path) -> None:
    """A line a tier over the bits, from the lowest to the sign."""
    from gnnbench.report.vega import draw as to_svg

    rows = [
        {"bit": bit, "share": 100 * share, "tier": tier}
        for tier, shares in seen.items()
        for bit, share in enumerate(shares)
    ]
    spec: dict[str, Any] = {
        "width": 520,
        "height": 180,
        "config": {"background": "white", "font": "system-ui, sans-serif", "view": {"stroke": None}},
        "data": {"values": rows},
        "mark": {"type": "line", "point": True, "interpolate": "step"},
        "encoding": {
            "x": {"field": "bit", "type": "quantitative", "scale": {"domain": [0, 31], "nice": False}, "axis": {"title": "bit: 0 to 22 fraction, 23 to 30 exponent, 31 sign", "grid": False, "tickCount": 32}},
            "y": {"field": "share", "type": "quantitative", "axis": {"title": "flips detected, %"}},
            "color": {"field": "tier", "scale": {"range": ["#3d83c5", "#d9483b"]}, "legend": {"title": None}},
        },
    }  # fmt: skip
    svg = to_svg(spec, "Share of flipped bits that each tier sees, by bit; the table has the numbers.")
    path.write_text(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n")


if __name__ == "__main__":
    main()

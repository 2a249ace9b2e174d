"""What judges is judged: the float64 oracle against fractions, which no kernel of torch has computed.

Layers and oracle run on operators of the same torch. Where one of those is wrong for every dtype, both go wrong
together, and only arithmetic from elsewhere can tell.
"""

from __future__ import annotations

from fractions import Fraction

import torch

from gnnbench.checks import Evidence, check, fail
from gnnbench.graphs import sized_exact_graph
from gnnbench.numerics import QUANTITIES, exact_inputs, gcn_oracle

_NODES, _FEATURES, _CHANNELS = 21, 4, 3

Matrix = list[list[Fraction]]


@check(
    catches=("F01", "F06", "F19"),
    fix="torch adds, gathers or multiplies wrongly in float64 on this host, so no verdict of this run can be trusted: "
    "install another build of torch, and suspect the machine.",
)
def test_fractions(evidence: Evidence) -> None:
    """The oracle's forward result and gradients are those of exact rational arithmetic, entry by entry."""
    graph = sized_exact_graph(_NODES)
    inputs = exact_inputs(_NODES, _FEATURES, _CHANNELS)
    assert inputs.bias is not None
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    edges = list(zip(graph.source.tolist(), graph.target.tolist(), graph.weights().tolist(), strict=True))
    entries = propagation(edges)
    x, w, g = (matrix(one) for one in (inputs.x, inputs.weight, inputs.upstream))
    p = product(transposed(entries), g)
    expected = {
        "forward": [
            [value + bias for value, bias in zip(row, map(Fraction, inputs.bias.tolist()), strict=True)]
            for row in product(entries, product(x, w))
        ],
        "dX": product(p, transposed(w)),
        "dW": product(transposed(x), p),
        "db": [[sum(column, Fraction(0)) for column in zip(*g, strict=True)]],
    }
    for name in QUANTITIES:
        found = matrix(oracle.of(name).reshape(-1, oracle.of(name).shape[-1]))
        wrong = [
            (i, j)
            for i, row in enumerate(expected[name])
            for j, value in enumerate(row)
            if found[i][j] != value
        ]
        evidence.margin(name, error=float(len(wrong)), bound=0.0, rule="exact, against fractions")
        if wrong:
            i, j = wrong[0]
            fail(
                f"the float64 oracle is wrong in {len(wrong)} entries of {name}",
                expected=f"{float(expected[name][i][j]):g} at {wrong[0]}",
                found=f"{float(found[i][j]):g}",
                cause="an operator of torch that is wrong for float64 too",
            )


def propagation(edges: list[tuple[int, int, float]]) -> Matrix:
    """Â of A + I; degrees are powers of 4, so their roots are fractions too."""
    entries = [[Fraction(int(i == j)) for j in range(_NODES)] for i in range(_NODES)]
    for source, target, weight in edges:
        entries[target][source] += Fraction(weight)
    degrees = [sum(row, Fraction(0)) for row in entries]
    roots = [Fraction(2) ** ((int(degree).bit_length() - 1) // 2) for degree in degrees]
    return [[entries[i][j] / (roots[i] * roots[j]) for j in range(_NODES)] for i in range(_NODES)]


def matrix(values: torch.Tensor) -> Matrix:
    """Every number as the fraction that it is."""
    return [[Fraction(value) for value in row] for row in values.tolist()]


def transposed(values: Matrix) -> Matrix:
    """Rows for columns."""
    return [list(column) for column in zip(*values, strict=True)]


def product(left: Matrix, right: Matrix) -> Matrix:
    """Rows times columns."""
    columns = transposed(right)
    return [
        [sum((a * b for a, b in zip(row, column, strict=True) if a), Fraction(0)) for column in columns]
        for row in left
    ]

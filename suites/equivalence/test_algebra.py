"""The layer is linear in x and W, its gradients in G, and weights of edges matter by their shares only. Bit for bit.

Operands are whole numbers and powers of two times them, so nothing rounds, over the whole range of float32.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch

from gnnbench.checks import Evidence, check
from gnnbench.graphs import Graph, exact_probe_graphs
from gnnbench.numerics import exact_inputs
from gnnbench.reference import Backend

from .cases import Case, exact_case, make_case
from .variants import judge_variants, run_cases

WEIGHTED = "exact_weighted"

#: Powers of two by which operands are scaled: float16 ends at 2^16 and at 2^-24, and float32 holds them all. Partial
#: sums stay below 2^12 times an operand, and above 2^-12 of one: nothing over- or underflows.
SHIFTS = (-100, -60, -30, 30, 60, 100)

#: Powers of 4 by which edge weights are scaled: degrees of 1e-30 to 1e32, past every epsilon and every clamp, whose
#: inverse roots and their products with weights float32 holds. The product of two degrees it does not hold.
POWERS = (-50, -15, -6, 6, 15, 50)


@cache
def scalings() -> dict[str, Case]:
    case = exact_case(WEIGHTED)
    cases: dict[str, Case] = {}
    for shift in SHIFTS:
        by, back = 2.0**shift, 2.0**-shift
        inputs = case.inputs
        assert inputs.bias is not None
        scaled = {
            f"x and b times 2^{shift}": replace(inputs, x=inputs.x * by, bias=inputs.bias * by),
            f"x times 2^{shift}, W times 2^{-shift}": replace(
                inputs, x=inputs.x * by, weight=inputs.weight * back
            ),
            f"gradient times 2^{shift}": replace(inputs, upstream=inputs.upstream * by),
        }
        cases |= {name: make_case(case.graph, one, exact=True) for name, one in scaled.items()}
    return cases


@check(
    tier="standard",
    catches=("F09", "F46"),
    fix="Something on the way has less range than float32 (float16 ends at 65504 and at 6e-8), or adds or cuts off "
    "at a fixed number.",
)
def test_scaling(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Operands times powers of two give the result times that power, over the range of float32."""
    judge_variants(evidence, backend, run_cases(backend, scalings(), device))


@cache
def weight_scalings() -> dict[str, Case]:
    graph = next(probe.graph for probe in exact_probe_graphs("none") if probe.name == WEIGHTED)
    inputs = exact_inputs(graph.num_nodes)
    return {
        f"edge weights times 4^{power}": make_case(
            Graph(graph.edge_index, graph.num_nodes, graph.weights() * 4.0**power),
            inputs,
            exact=True,
            self_loops="none",
        )
        for power in POWERS
    }


@check(
    tier="standard",
    catches=("F17", "F20"),
    fix="The normalisation adds something to the degrees, an epsilon against division by zero or a self-loop that "
    "nobody asked for; or it cuts them off; or it multiplies two of them, which float32 does not hold: take the root of "
    "each first. Where the degree is 0, write 0 instead.",
)
def test_weight_scaling(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Without self-loops, edge weights times a constant change nothing: the degrees take it out again."""
    judge_variants(evidence, backend, run_cases(backend, weight_scalings(), device, self_loops="none"))


@cache
def combinations() -> dict[str, Case]:
    case, other = exact_case(WEIGHTED), exact_case(WEIGHTED, seed=1)
    one, two = case.inputs, other.inputs
    x, weight, upstream = one.x, one.weight, one.upstream
    first, last = torch.zeros_like(x), torch.zeros_like(x)
    first[0], last[-1] = x[0], x[-1]
    inputs = {
        "x + 2 x'": replace(one, x=x + 2 * two.x),
        "W - W'": replace(one, weight=weight - two.weight),
        "G + 2 G'": replace(one, upstream=upstream + 2 * two.upstream),
        "-x": replace(one, x=-x),
        "x of the first node alone": replace(one, x=first),
        "x of the last node alone": replace(one, x=last),
        "x = 0": replace(one, x=torch.zeros_like(x)),
        "W = 0": replace(one, weight=torch.zeros_like(weight)),
        "G = 0": replace(one, upstream=torch.zeros_like(upstream)),
    }
    return {name: make_case(case.graph, of, exact=True) for name, of in inputs.items()}


@check(
    tier="standard",
    catches=("F01", "F08"),
    fix="The layer is not linear: an activation, a clamp, or a way around rows of zeros that forgets the bias.",
)
def test_linearity(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Linear in x and W, its gradients in G: sums, differences, single nodes, zeros."""
    judge_variants(evidence, backend, run_cases(backend, combinations(), device))

"""Very large and very small numbers, as they meet in one graph: nothing is added to them, cut off, or flushed to zero.

`test_algebra` scales all operands and weights at once. Exact but for large weights beside self-loops of 1, whose
degrees are no powers of 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, not_applicable
from gnnbench.graphs import Graph
from gnnbench.numerics import exact_inputs
from gnnbench.reference import Backend, compiles

from .cases import Case, bounded_case, exact_case, make_case
from .variants import judge_variants, run_cases

PROBE = "exact_weighted"

#: Powers of two of weights beside self-loops of 1: 1e30, 7e19, and what those are the inverse of.
WEIGHT_SHIFTS = (-100, -66, -20, 20, 66, 100)

#: The least normal number of float32 is 2^-126 and the least of all 2^-149. Sums of XW reach 2^7, and Â's entries
#: have no bit below 2^-7, so at this power every result lies between the two.
SUBNORMAL = -136


@cache
def own_loops() -> dict[str, Case]:
    """The probe with its self-loops written out, then all weights times powers of 4: no loop is left to be added."""
    case = exact_case(PROBE)
    graph = case.graph.with_self_loops("add")
    return {
        f"weights and own loops times 4^{power}": make_case(
            Graph(graph.edge_index, graph.num_nodes, graph.weights() * 4.0**power),
            case.inputs,
            exact=True,
            self_loops="add_remaining",
        )
        for power in (-50, -12, 12, 50)
    }


@check(
    tier="standard",
    catches=("F18", "F20"),
    fix="A self-loop that is there is replaced, added to or taken for none where its weight is very large or very "
    "small, or something is added to the degrees: an epsilon, a clamp.",
)
def test_own_loops(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Where every node has a self-loop of its own, weights times a constant change nothing under add_remaining."""
    found = run_cases(backend, own_loops(), device, self_loops="add_remaining")
    judge_variants(evidence, backend, found)


@cache
def small_degrees() -> dict[str, Case]:
    """Node 2i speaks to node 2i + 1 by an edge of 4^-k - 1, which leaves of the self-loop there a degree of 4^-k."""
    cases = {}
    nodes = torch.arange(24)
    for power in (1, 2, 4, 6):
        weight = torch.full((12,), 4.0**-power - 1)
        graph = Graph(torch.stack([nodes[::2], nodes[1::2]]), len(nodes), weight)
        cases[f"degrees of 4^-{power}"] = make_case(graph, exact_inputs(len(nodes), 4, 3), exact=True)
    return cases


@check(
    tier="standard",
    catches=("F20",),
    fix="Degrees below 1 are cut off or added to: with weights of both signs they are possible beside self-loops too.",
)
def test_small_degrees(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Negative weights that leave little of the self-loop: degrees of 1/4 to 1/4096. Bit for bit."""
    judge_variants(evidence, backend, run_cases(backend, small_degrees(), device))


@cache
def large_weights() -> dict[str, Case]:
    case = bounded_case("random")
    return {
        f"weights times 2^{shift}": make_case(
            Graph(case.graph.edge_index, case.graph.num_nodes, case.graph.weights() * 2.0**shift),
            case.inputs,
            exact=False,
        )
        for shift in WEIGHT_SHIFTS
    }


@check(
    tier="standard",
    catches=("F17", "F20"),
    fix="Degrees or weights are cut off, taken for infinite or for zero: 1e20 and 1e-20 are numbers like others, and "
    "d^-1/2 of them is nowhere near the ends of float32. The product of two degrees is.",
)
def test_large_weights(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Edge weights of 1e-30 to 1e30 beside self-loops of 1, within the error bounds."""
    judge_variants(evidence, backend, run_cases(backend, large_weights(), device))


@cache
def subnormals() -> dict[str, Case]:
    case, tiny = exact_case(PROBE), 2.0**SUBNORMAL
    inputs = case.inputs
    assert inputs.bias is not None
    scaled = {
        f"x and b times 2^{SUBNORMAL}": replace(inputs, x=inputs.x * tiny, bias=inputs.bias * tiny),
        f"W and b times 2^{SUBNORMAL}": replace(inputs, weight=inputs.weight * tiny, bias=inputs.bias * tiny),
        f"gradient times 2^{SUBNORMAL}": replace(inputs, upstream=inputs.upstream * tiny),
    }
    return {name: make_case(case.graph, one, exact=True) for name, one in scaled.items()}


@check(
    tier="standard",
    catches=("F09",),
    fix="Numbers below 1.2e-38 become 0 on the way, though torch's own operators keep them on this device: a kernel "
    "compiled to flush them (--use_fast_math, -ftz=true, -ffast-math), or a range smaller than float32's.",
)
def test_subnormal(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Results below the normal numbers of float32 are there to the last bit, as IEEE 754 has it."""
    found = run_cases(backend, subnormals(), device)
    # Afterwards, for what was loaded meanwhile may have changed how the processor is set.
    flushing = flushes(device, backend)
    evidence.fact("flushed_by_torch", flushing)
    if flushing and not all(one.passed for of in found.values() for one in of):
        not_applicable(
            f"{backend.name}: on {device} torch itself flushes subnormal numbers to zero in {', '.join(flushing)}",
            needs=f"backend:{backend.name}",
        )
    judge_variants(evidence, backend, found)


def flushes(device: torch.device, backend: Backend) -> list[str]:
    """Which of the operators that layers are made of give 0 for subnormal numbers on `device`, inside or at an end."""
    # About as large as the probe, for libraries choose kernels by size.
    tiny = torch.full((85, 16), 2.0**SUBNORMAL, device=device)
    left, right = torch.eye(85, device=device), torch.eye(16, device=device)
    rows = torch.arange(85, device=device)
    operators: dict[str, Callable[[], Tensor]] = {
        "mul": lambda: tiny * 1.0,
        "add": lambda: tiny + torch.zeros_like(tiny),
        "mm": lambda: tiny @ right,
        "mm from the left": lambda: left @ tiny,
        "index_add": lambda: torch.zeros_like(tiny).index_add(0, rows, tiny),
        "COO product": lambda: torch.sparse.mm(left.to_sparse(), tiny),
        "CSR product": lambda: left.to_sparse(layout=torch.sparse_csr) @ tiny,
    }
    found = []
    for name, operator in operators.items():
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
                kept = bool(torch.equal(operator(), tiny))
        except (RuntimeError, NotImplementedError):
            # No such product here: then no backend has it from torch either.
            continue
        if not kept:
            found.append(name)
    if device.type == "cuda" and compiles(backend):
        found.append("kernels that Triton compiles, which may")
    return found

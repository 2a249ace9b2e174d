"""gnnbench.numerics.roots: what is read off a layer about its inverse roots."""

import math

import pytest
import torch
from mutants import Mutant, next_float, one_entry
from roots_backends import either_way, lose_one, one_ulp_off, rooted

from gnnbench.graphs import EXACT_DEGREES
from gnnbench.numerics import compare_exact, exact_inputs, gcn_oracle, inverse_roots, roots_graph
from gnnbench.reference import backend

CPU = torch.device("cpu")


def roots(mutant, dtype=torch.float32):
    return inverse_roots(mutant.bind(roots_graph(), device=CPU, dtype=dtype), CPU, dtype)


def test_graph_has_every_degree():
    """One node of each, its own loop counted."""
    degrees = roots_graph().in_degree() + 1
    assert sorted(degrees.unique().tolist()) == list(EXACT_DEGREES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_correct_roots_are_exact(dtype):
    """Square root and division round correctly, and powers of 4 not at all."""
    found = roots(backend("csr"), dtype)
    assert found.exact
    assert not found.rounded


@pytest.mark.parametrize(("inverse_root", "least"), [(one_ulp_off, 2.0), (either_way, 7.0)])
def test_rounded_roots(inverse_root, least):
    """Off, by what can be said in units of u, and within the bound."""
    found = roots(Mutant("", normalise=rooted(inverse_root)))
    assert found.rounded
    assert not found.exact
    assert least <= found.roundings <= 18


def test_wrong_roots_are_not_rounded():
    """The bound is that of the layer: 18 u, two roots and two products."""
    coarse = roots(Mutant("", normalise=rooted(lambda degree: degree.rsqrt() * (1 + 2**-18))))
    assert coarse.roundings > 18
    assert not coarse.rounded
    assert not coarse.exact


@pytest.mark.parametrize(
    "mutant",
    [
        Mutant("", normalise=lambda s, t, w, d: w * torch.nan),
        Mutant("", finish=lambda out: out + 1e-9),
        Mutant("", finish=lambda out: out[:-1]),
        Mutant("", finish=one_entry(next_float, (0, 0))),
        Mutant("", finish=one_entry(next_float, (1025, 2))),
    ],
)
def test_anything_else_is_infinitely_off(mutant):
    """No number, numbers where there must be none, missing rows, one entry of three: nothing that a root explains."""
    assert roots(mutant).roundings == math.inf


def test_a_lost_edge_is_no_rounding():
    """An entry that is missing is 100 % off."""
    # Without node 0's own loop, which is the first that is added.
    lost = Mutant("", edges=lambda s, t, w, n: lose_one((s.roll(n), t.roll(n), w.roll(n))))
    assert not roots(lost).rounded
    assert not roots(lost).exact


def test_no_root_excuses_the_bias():
    """Its gradient is a sum of gradients alone: an ulp is a fault there, and may be a root's in the others."""
    graph = roots_graph()
    inputs = exact_inputs(graph.num_nodes)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    for name in ("forward", "db"):
        found = compare_exact(name, torch.nextafter(oracle.of(name).float(), torch.tensor(1e9)), oracle)
        assert not found.passed
        assert (found.by_bound is None) == (name == "db")

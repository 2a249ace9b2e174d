"""A pytest plugin: backends whose inverse roots round as libraries may, and others that hide behind such roots."""

import torch
from mutants import Mutant

from gnnbench.reference import register_backend


def rooted(inverse_root):
    """Normalise by what `inverse_root` makes of the degrees."""

    def normalise(source, target, weight, degree):
        scale = torch.where(degree > 0, inverse_root(degree), 0.0)
        return scale[target] * weight * scale[source]

    return normalise


def one_ulp_off(degree):
    root = degree.rsqrt()
    return torch.nextafter(root, torch.full_like(root, 9.0))


def either_way(degree):
    """Four ulp off, up or down as the degree has it."""
    return degree.rsqrt() * (1 + 2**-21 * torch.cos(degree).sign())


def lose_one(edges):
    source, target, value = edges
    return source[1:], target[1:], value[1:]


def without_weights(source, target, weight, nodes):
    """Weights dropped where a graph has few of them: wrong roots are no licence for wrong entries."""
    return source, target, torch.ones_like(weight)


MUTANTS = (
    Mutant("roots_ulp", normalise=rooted(one_ulp_off)),
    Mutant("roots_either_way", normalise=rooted(either_way)),
    Mutant("roots_ulp_edge", normalise=rooted(one_ulp_off), normalised=lose_one),
    Mutant("roots_ulp_weights", normalise=rooted(one_ulp_off), edges=without_weights),
    Mutant("roots_half", normalise=rooted(lambda degree: degree.rsqrt().half().float() * (1 + 2**-12))),
)


def pytest_configure(config):
    """Not at import: a test takes single functions from here."""
    for mutant in MUTANTS:
        register_backend(mutant)

"""A pytest plugin: backends that are right most of the time, and generators that follow no seed."""

import itertools

import torch
from mutant_backends import Wrapped
from mutants import Mutant, SpoiltGradient, next_float
from relation_backends import Replace

from gnnbench.reference import register_backend


def every(calls, change, start=7):
    """A layer whose every `calls`-th result is changed, the first of them after `start` calls.

    By counting and not by chance, so that whether it is met in so many repetitions is known beforehand.
    """

    def wrap(layer, graph):
        count = itertools.count(calls - start)

        def wrapped(x, weight, bias):
            out = layer(x, weight, bias)
            return Replace.apply(out, change(out.detach().clone())) if next(count) % calls == 0 else out

        return wrapped

    return wrap


def one_ulp(out):
    out[3, 1] = next_float(out[3, 1])
    return out


def bit_flip(out, bit=22):
    out.view(torch.int32)[5, 2] ^= 1 << bit
    return out


def far(out):
    out[3, 1] += 0.5
    return out


def stale(layer, graph):
    """Rounding noise in the backward pass only, another in each call."""
    return lambda x, weight, bias: layer(
        SpoiltGradient.apply(x, lambda gradient: gradient * (1 + 1e-7 * (next(_CALLS) % 3))), weight, bias
    )


def drifting(layer, graph):
    """Noise of 1e-7 in each call, more with each, as sums by atomics have it; never the same twice."""
    return lambda x, weight, bias: layer(x, weight, bias) * (1 + 1e-7 * next(_CALLS))


def no_kernel(layer, graph):
    """As torch speaks under use_deterministic_algorithms."""

    def wrapped(x, weight, bias):
        if torch.are_deterministic_algorithms_enabled():
            raise RuntimeError(
                "spmm_cuda does not have a deterministic implementation, but you set "
                "'torch.use_deterministic_algorithms(True)'."
            )
        return layer(x, weight, bias)

    return wrapped


_CALLS = itertools.count(1)


class Slow(Wrapped):
    """Judged as compiled backends are: under torch's switch, also on a CPU."""

    compiles = True


def steady(layer, graph):
    """Repeats its bits under torch's switch only, as scatters do on a GPU."""
    count = itertools.count()

    def wrapped(x, weight, bias):
        out = layer(x, weight, bias)
        if torch.are_deterministic_algorithms_enabled() or next(count) % 2:
            return out
        return Replace.apply(out, one_ulp(out.detach().clone()))

    return wrapped


BACKENDS = (
    Mutant(name="u_clean"),
    Wrapped("u_ulp", every(20, one_ulp)),
    Wrapped("u_bit", every(10, bit_flip)),
    Wrapped("u_far", every(10, far)),
    Wrapped("u_backward", stale),
    Wrapped("u_drift", drifting),
    Mutant(name="u_always", finish=lambda out: out + 1),
    Slow("u_no_kernel", no_kernel),
    Slow("u_steady", steady),
)


def pytest_configure(config):
    for backend in BACKENDS:
        register_backend(backend)

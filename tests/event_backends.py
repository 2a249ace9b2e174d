"""A pytest plugin: backends that are wrong at some sizes, from some call on, or after something happened, and a clean one."""

import gc
import itertools

import torch
from condition_backends import Graphs, called, doubled, kept
from mutant_backends import Wrapped
from mutants import Mutant, SpoiltGradient, rounded
from relation_backends import where

from gnnbench.reference import register_backend


def nodes(count):
    return where(lambda graph, x, weight: graph.num_nodes == count, doubled)


def first_of_each_row(length):
    """A row keeps no more than `length` of its messages."""

    def cut(source, target, weight, n):
        order = target.argsort(stable=True)
        slot = torch.empty_like(order)
        slot[order] = torch.arange(len(order)) - torch.searchsorted(target[order], target[order])
        keep = slot < length
        return source[keep], target[keep], weight[keep]

    return cut


def first_messages(count):
    return lambda source, target, weight, n: (source[:count], target[:count], weight[:count])


class CountsIn16Bits:
    """Without weights degrees are counted, as many times 65,536 too few as there are."""

    name = "v_degree_16"

    def bind(self, graph, *, device, dtype, self_loops="add"):
        wraps = not graph.is_weighted
        mutant = Mutant(degree=(lambda degree: degree % 65536) if wraps else (lambda degree: degree))
        return mutant.bind(graph, device=device, dtype=dtype, self_loops=self_loops)


def many_nodes_and_edges(graph, self_loops):
    """The last of more than 2^18 edges is lost where nodes need more than 16 bits."""
    if graph.num_nodes <= 65536 or graph.num_edges <= 2**18:
        return graph
    return kept(graph, torch.arange(graph.num_edges) < graph.num_edges - 1)


COLLECTIONS = [0]


def count_collections(phase, info):
    if phase == "stop" and info["generation"] == 2:
        COLLECTIONS[0] += 1


gc.callbacks.append(count_collections)


def once_collected(layer, graph):
    """What is kept by a weak reference is gone once the garbage was collected."""
    bound = COLLECTIONS[0]
    return called(lambda x, weight, bias: COLLECTIONS[0] > bound)(layer, graph)


def after_an_exception(layer, graph):
    failed = []

    def wrapped(x, weight, bias):
        try:
            out = layer(x, weight, bias)
        except RuntimeError:
            failed.append(True)
            raise
        return out * 2 if failed else out

    return wrapped


def left_in_backward(layer, graph):
    """A flag that the backward pass sets when it begins, and takes back when it has come to x."""
    busy = []

    def begin(gradient):
        busy.append(True)
        return gradient

    def end(gradient):
        busy.clear()
        return gradient

    def wrapped(x, weight, bias):
        factor = 2 if busy else 1
        out = layer(SpoiltGradient.apply(x, end), weight, bias)
        return SpoiltGradient.apply(out * factor, begin)

    return wrapped


def from_call(number):
    def wrap(layer, graph):
        calls = itertools.count(1)
        return called(lambda x, weight, bias: next(calls) >= number)(layer, graph)

    return wrap


class LowWhereWide:
    """Products of inner dimension 512 and more run in TF32; of those without gradients only, if said so."""

    def __init__(self, name, *, inferring):
        self.name, self.inferring = name, inferring

    def bind(self, graph, *, device, dtype, self_loops="add"):
        exact, low = (
            Mutant(operands=operands).bind(graph, device=device, dtype=dtype, self_loops=self_loops)
            for operands in (lambda t: t, rounded(11))
        )

        def layer(x, weight, bias):
            wide = x.shape[1] >= 512 and not (self.inferring and torch.is_grad_enabled())
            return (low if wide else exact)(x, weight, bias)

        return layer


BACKENDS = (
    Mutant(name="v_clean"),
    *(Wrapped(f"v_nodes_{count}", nodes(count)) for count in (512, 1024, 2048, 4096)),
    Mutant(name="v_row_65535", edges=first_of_each_row(65535)),
    Mutant(name="v_row_65800", edges=first_of_each_row(65800)),
    CountsIn16Bits(),
    Mutant(name="v_messages", edges=first_messages(2**21)),
    Graphs("v_nodes_and_edges", many_nodes_and_edges),
    Wrapped("v_collected", once_collected),
    Wrapped("v_after_exception", after_an_exception),
    Wrapped("v_left_in_backward", left_in_backward),
    Wrapped("v_call_40", from_call(40)),
    Wrapped("v_call_150", from_call(150)),
    LowWhereWide("v_wide_tf32", inferring=False),
    LowWhereWide("v_wide_tf32_infer", inferring=True),
)


def pytest_configure(config):
    for one in BACKENDS:
        register_backend(one)

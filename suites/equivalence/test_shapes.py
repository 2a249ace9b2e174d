"""Sizes on both sides of the tiles of kernels, and operands laid out in memory in every way. Bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor

from gnnbench.checks import Evidence, Tier, check
from gnnbench.graphs import rows_of_lengths, sized_exact_graph
from gnnbench.numerics import LayerInputs, evaluate, exact_headroom, exact_inputs, gcn_oracle, real_inputs
from gnnbench.reference import Backend

from .cases import Case, bind, exact_case, judge, make_case
from .variants import judge_variants, run_cases, thinned

#: As many as warps, tiles and blocks have, one less and one more.
NODES = (
    *(1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257),
    *(511, 512, 513, 1023, 1024, 1025, 2048, 4096),
)
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)

#: Widths of real models, past every tile: (features, channels). Cora has 1,433 features. Kernels are made for 128 and
#: for 256, and those that unroll further than to 64 have remainders of their own: 67, 70, 131.
WIDE = (
    *((6, 129), (6, 257), (129, 6), (600, 5), (1433, 16), (300, 300), (48, 24), (24, 96), (64, 1), (1, 64)),
    *((128, 131), (131, 128), (256, 70), (67, 256), (128, 128), (256, 256)),
)

#: In-edges of a row: all lengths up to two blocks of a warp's rows, and around larger ones.
LENGTHS = (*range(131), 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 4096, 4097)

#: The other width beside an odd one: neither a power of two nor a multiple of one, on either side.
_BESIDE = 6

Form = Callable[[LayerInputs], LayerInputs]


@cache
def node_counts() -> dict[str, Case]:
    return {
        f"{count} nodes": make_case(sized_exact_graph(count), exact_inputs(count), exact=True)
        for count in NODES
    }


@check(
    tier="standard",
    catches=("F04", "F16"),
    fix="A kernel is wrong in the last, partly filled block of rows, or past the first: look at the counts that are "
    "wrong for the size of its block.",
)
def test_node_counts(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """Graphs of 1 to 4,096 nodes, around what tiles of kernels hold; long and empty rows at the ends."""
    judge_variants(evidence, backend, run_cases(backend, node_counts(), device))


@cache
def widths() -> dict[str, Case]:
    graph = sized_exact_graph(70)
    pairs = [pair for width in WIDTHS for pair in ((width, width), (width, _BESIDE), (_BESIDE, width))]
    return {
        f"{features} to {channels}": make_case(
            graph, exact_inputs(graph.num_nodes, features, channels), exact=True
        )
        for features, channels in dict.fromkeys(pairs)
    }


@check(
    tier="standard",
    catches=("F16",),
    fix="A kernel is wrong for widths that do not fill its vectors (2, 4, 8) or its warps (32): look at the widths "
    "that are wrong.",
)
def test_widths(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Features and channels from 1 to 65, odd ones and one past each power of two, in both orders of products."""
    judge_variants(
        evidence, backend, run_cases(backend, thinned(widths(), backend, run_tier, every=8), device)
    )


@cache
def wide() -> dict[str, Case]:
    graph = sized_exact_graph(70)
    return {
        f"{features} to {channels}": make_case(
            graph, real_inputs(graph.num_nodes, features, channels), exact=False
        )
        for features, channels in WIDE
    }


@check(
    tier="standard",
    catches=("F14", "F46"),
    fix="A kernel is wrong past a number of columns, or sums long inner products in fewer bits: look at the widths that "
    "are wrong.",
)
def test_wide(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Features and channels as real models have them, up to 1,433, within the componentwise bound."""
    judge_variants(evidence, backend, run_cases(backend, thinned(wide(), backend, run_tier, every=4), device))


@cache
def row_lengths() -> Case:
    graph = rows_of_lengths(LENGTHS)
    inputs = exact_inputs(graph.num_nodes, 6, 4)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream, self_loops="none")
    return Case(graph, inputs, oracle, None)


@check(
    tier="standard",
    catches=("F04", "F14"),
    fix="Rows of certain lengths lose messages, or keep what stood there before: a kernel's last, partly filled pass "
    "over a row.",
)
def test_row_lengths(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """A row of every length from 0 to 130 and around larger powers of two, an empty one behind each."""
    case = row_lengths()
    # dW sums over all nodes, and would need more bits than float32 has.
    exact = [name for name, share in exact_headroom(case.oracle).items() if share <= 1]
    evidence.fact("judged", exact)
    layer = bind(backend, case.graph, device, "none")
    judge(evidence, backend, case.compare(evaluate(layer, case.inputs.to(device)), device, exact))


@cache
def empties() -> dict[str, Case]:
    sizes = {
        "no nodes": (0, 4, 3),
        "no features": (17, 0, 4),
        "no channels": (17, 4, 0),
        "no nodes and no features": (0, 0, 3),
    }
    cases = {}
    for name, (nodes, features, channels) in sizes.items():
        inputs = LayerInputs(
            x=torch.ones(nodes, features),
            weight=torch.ones(features, channels),
            bias=torch.arange(1.0, channels + 1),
            upstream=torch.ones(nodes, channels),
        )
        cases[name] = make_case(sized_exact_graph(nodes), inputs, exact=True)
    return cases


@check(
    tier="standard",
    catches=("F24",),
    fix="A launch over nothing, a division by the number of nodes or a maximum of no numbers: answer empty "
    "problems before the kernel.",
)
def test_empty(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """No nodes, no features or no channels: the result has the form it must, and sums over nothing are 0."""
    judge_variants(evidence, backend, run_cases(backend, empties(), device))


def one_row(tensor: Tensor) -> Tensor:
    """The first row for all rows, with a stride of 0."""
    return tensor[:1].expand_as(tensor)


def one_column(tensor: Tensor) -> Tensor:
    """The first column for all columns, with a stride of 0."""
    return tensor[:, :1].expand_as(tensor)


def one_number(tensor: Tensor) -> Tensor:
    """One number for all entries, both strides 0, as the gradient of a sum has them."""
    return tensor.flatten()[:1].expand(tensor.numel())[:1].expand_as(tensor)


def every_other(tensor: Tensor) -> Tensor:
    """Every other row and every third column of a larger matrix: no stride is 1."""
    wide = torch.full((2 * tensor.shape[0], 3 * tensor.shape[1]), torch.nan, device=tensor.device)
    view = wide[1::2, 2::3]
    return view.copy_(tensor)


def one_of_several(tensor: Tensor) -> Tensor:
    """One slice of `[rows, 3, columns]`: what a model with several feature sets a node hands on."""
    several = torch.full((tensor.shape[0], 3, tensor.shape[1]), torch.nan, device=tensor.device)
    several[:, 1] = tensor
    return several[:, 1]


def channels_last(tensor: Tensor) -> Tensor:
    """A slice of `[columns, 2, rows]` with its axes turned: rows next to each other, columns far apart."""
    turned = torch.full((tensor.shape[1], 2, tensor.shape[0]), torch.nan, device=tensor.device)
    turned[:, 1] = tensor.t()
    return turned.permute(2, 1, 0)[:, 1]


def shared_storage(inputs: LayerInputs, start: int = 1) -> LayerInputs:
    """All operands one after another in one buffer, `start` numbers behind its beginning.

    None of them is then aligned to more than its 4 bytes, or with a `start` of 2 than to 8: loads of two numbers work
    there, and loads of four don't.
    """
    tensors = [inputs.x, inputs.weight, inputs.bias, inputs.upstream]
    given = [tensor for tensor in tensors if tensor is not None]
    buffer = torch.cat([given[0].new_zeros(start), *(tensor.flatten() for tensor in given)])
    views = []
    for tensor in given:
        views.append(buffer[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()
    x, weight, *bias, upstream = views
    return LayerInputs(x=x, weight=weight, bias=bias[0] if bias else None, upstream=upstream)


def forms() -> dict[str, Form]:
    """What is done to the operands, by name."""

    def of(layout: Callable[[Tensor], Tensor]) -> dict[str, Form]:
        name = layout.__name__
        return {
            f"x {name}": lambda inputs: replace(inputs, x=layout(inputs.x)),
            f"G {name}": lambda inputs: replace(inputs, upstream=layout(inputs.upstream)),
        }

    found: dict[str, Form] = {}
    for layout in (one_row, one_column, one_number, every_other, one_of_several, channels_last):
        found |= of(layout)
    found["W every_other"] = lambda inputs: replace(inputs, weight=every_other(inputs.weight))
    found["W one_row"] = lambda inputs: replace(inputs, weight=one_row(inputs.weight))
    found["b of stride 0"] = lambda inputs: replace(
        inputs, bias=None if inputs.bias is None else inputs.bias[:1].expand_as(inputs.bias)
    )
    found["b as a column"] = lambda inputs: replace(
        inputs, bias=None if inputs.bias is None else every_other(inputs.bias[:, None])[:, 0]
    )
    found["all in one buffer"] = shared_storage
    found["all in one buffer, aligned to 8 bytes"] = partial(shared_storage, start=2)
    return found


@cache
def view_cases() -> dict[str, Case]:
    case = exact_case("exact_weighted")
    # What the oracle sees are the same numbers, laid out afresh.
    return {
        name: make_case(case.graph, form(case.inputs.to("cpu")).to("cpu"), exact=True)
        for name, form in forms().items()
    }


@check(
    tier="standard",
    fix="The backend, or a kernel beneath it, takes its operands to be contiguous or aligned: call .contiguous(), "
    "or obey the strides, also those of 0 that expand() and the gradient of a sum have.",
)
def test_views(backend: Backend, device: torch.device, evidence: Evidence, run_tier: Tier) -> None:
    """Operands as views: expanded, spaced out, slices of three dimensions, neighbours in one buffer."""
    judge_variants(
        evidence,
        backend,
        run_cases(backend, thinned(view_cases(), backend, run_tier, every=5), device, forms=forms()),
    )

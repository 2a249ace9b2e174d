"""Sizes at which indices of 32 bits, and grids of 16, end: what lies behind is right, or a GPU too small is told.

Each check says how much memory it needs. The kernels under test are the same as everywhere; only a product of
two sizes goes past a limit, and rows on both sides of it are judged against a float64 oracle of those rows.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.graphs import Graph, power_law, sized_exact_graph
from gnnbench.numerics import (
    Comparison,
    LayerInputs,
    compare_rows,
    evaluate,
    exact_headroom,
    exact_inputs,
    gcn_oracle,
    rows_of_layer,
    sample_rows,
)
from gnnbench.reference import Backend

from .cases import Case, bind, judge
from .room import room

#: What a signed 32-bit integer counts to. A check of this file can itself be checked with 2^15: the kernel with
#: 16-bit indices is then the one to be caught.
LIMIT = 1 << 31
#: Blocks in the second and third dimension of a CUDA grid, times 16 rows a block, a usual number: one row more needs
#: another way to deal them out (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
GRID_ROWS = 65_535 * 16

WIDTH = 64

#: Nodes with edges among very many without: more than 16 bits count, and five edges each, more than 2^18 in all. On no
#: fewer nodes, for there a dense matrix would be refused by nothing but the machine's end.
_LINKED = 70_000
#: Rows and width of the sparse matrix that is multiplied by itself, without a graph.
_ROWS, _COLUMNS = 4096, 8

_FIX = (
    "An offset, a count or a launch is kept in 32 bits: index in 64, or cut the work into parts. Until then, stay below "
    "the size that this check states."
)

#: How torch refuses a size, as against failing at it: coo2csr "only supports m, nnz with the bound ...".
_REFUSALS = ("only supports", "not supported", "not implemented")


@cache
def many_rows(count: int) -> Case:
    """`count` nodes, of which a few, the first and the last among them, have edges; whole numbers."""
    small = sized_exact_graph(min(_LINKED, count // 2))
    place = torch.linspace(0, count - 1, small.num_nodes, dtype=torch.float64).long()
    graph = Graph(place[small.edge_index], count, small.edge_weight)
    inputs = exact_inputs(count, 4, 4)
    oracle = gcn_oracle(graph, inputs.x, inputs.weight, inputs.bias, inputs.upstream)
    return Case(graph, inputs, oracle, None)


@check(tier="standard", catches=("F04",), fix=_FIX)
def test_rows(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """More nodes than 65,535 blocks of 16 rows hold: every row is right, bit for bit."""
    count = GRID_ROWS + 33
    evidence.fact("rows", count)
    # Operands, oracle and edges, in float64 and with 64-bit indices, take about 300 bytes a node.
    with room(device, 300 * count, f"a graph of {count:,} nodes", evidence):
        case = many_rows(count)
        # Sums over all nodes, as dW is one, may need more bits than float32 has.
        exact = [name for name, share in exact_headroom(case.oracle).items() if share <= 1]
        assert {"forward", "dX"} <= set(exact)
        found = evaluate(bind(backend, case.graph, device), case.inputs.to(device))
    judge(evidence, backend, case.compare(found, device, exact))


def operands(nodes: int, device: torch.device) -> LayerInputs:
    """Standard normal numbers, drawn where they are needed."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device, generator=generator)

    return LayerInputs(
        x=normal(nodes, WIDTH),
        weight=normal(WIDTH, WIDTH) / 8,
        bias=normal(WIDTH),
        upstream=normal(nodes, WIDTH),
    )


@check(tier="full", catches=("F03", "F04"), fix=_FIX)
def test_messages(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """More numbers in the messages of all edges than 2^31: forward and dX are right on both sides of the limit."""
    edges = LIMIT // WIDTH * 9 // 8
    nodes = max(edges // 128, 64)
    evidence.fact("limit", LIMIT)
    evidence.fact("edges_times_width", edges * WIDTH)
    # Gathered, weighed and scattered messages and one more for the allocator's gaps; 128 bytes of indices an edge.
    needed = (edges + nodes) * (4 * 4 * WIDTH + 128)
    with room(device, needed, f"{edges:,} edges of width {WIDTH}", evidence):
        comparisons = _judged_messages(backend, device, nodes, edges)
    judge(evidence, backend, comparisons)


def _judged_messages(backend: Backend, device: torch.device, nodes: int, edges: int) -> list[Comparison]:
    """Apart from the check, so that nothing of this size is alive when it ends."""
    graph = power_law(nodes, edges, exponent=4.0, seed=0, device=device)
    inputs = operands(nodes, device)
    found = evaluate(bind(backend, graph, device, copy=False), inputs, gradients=["dX"])
    behind = graph.edge_index[:, LIMIT // WIDTH :][:, :: max(1, edges // 9 // 32)]
    ends = torch.tensor([0, nodes - 1])
    rows = sample_rows(graph, besides=torch.cat([behind[1].cpu(), ends]))
    back = sample_rows(graph, besides=torch.cat([behind[0].cpu(), ends]))
    _require_finite(backend, found.forward, found.dX)
    assert found.dX is not None
    return [
        compare_rows(
            "forward", found.forward, rows, *rows_of_layer(graph, rows, inputs.x, inputs.weight, inputs.bias)
        ),
        compare_rows(
            "dX",
            found.dX,
            back,
            *rows_of_layer(graph, back, inputs.upstream, inputs.weight.t(), transposed=True),
        ),
    ]


@check(tier="full", catches=("F04",), fix=_FIX)
def test_entries(backend: Backend, device: torch.device, evidence: Evidence) -> None:
    """More numbers in x and in the result than 2^31: the rows behind the limit are right."""
    nodes = LIMIT // WIDTH * 17 // 16
    evidence.fact("limit", LIMIT)
    evidence.fact("nodes_times_width", nodes * WIDTH)
    # x, x W, messages gathered and weighed, the sum, and the result; indices and degrees besides.
    needed = nodes * (6 * 4 * WIDTH + 160)
    with room(device, needed, f"{nodes:,} nodes of width {WIDTH}", evidence):
        comparison = _judged_entries(backend, device, nodes)
    judge(evidence, backend, [comparison])


def _judged_entries(backend: Backend, device: torch.device, nodes: int) -> Comparison:
    graph = power_law(nodes, nodes // 8, seed=0, device=device)
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(nodes, WIDTH, device=device, generator=generator)
    weight = torch.randn(WIDTH, WIDTH, device=device, generator=generator) / 8
    layer = bind(backend, graph, device, copy=False)
    with torch.no_grad():
        out = layer(x, weight, None)
    behind = torch.arange(LIMIT // WIDTH - 2, nodes, max(1, nodes // 17 // 32))
    rows = sample_rows(graph, besides=torch.cat([behind, torch.tensor([0, nodes - 1])]))
    if out.shape != (nodes, WIDTH):
        fail(
            f"{backend.name}: the result has another shape",
            expected=f"{[nodes, WIDTH]}",
            found=f"{list(out.shape)}",
        )
    return compare_rows("forward", out, rows, *rows_of_layer(graph, rows, x, weight))


@check(tier="full", catches=("F02", "F03"), fix=_FIX)
@pytest.mark.parametrize("layout", ["csr", "coo"])
def test_nonzeros(layout: str, device: torch.device, evidence: Evidence) -> None:
    """A sparse matrix of more than 2^31 entries counts them right, and its product with a dense one is exact."""
    length = LIMIT // _ROWS + LIMIT // _ROWS // 8
    nonzeros = length * _ROWS
    evidence.fact("limit", LIMIT)
    evidence.fact("nonzeros", nonzeros)
    # Values and indices, of COO two, and what a product converts them to.
    needed = nonzeros * {"csr": 4 + 8 + 4, "coo": 4 + 16 + 8}[layout] + 2 * 4 * 2 * length * _COLUMNS
    with room(device, needed, f"a {layout} matrix of {nonzeros:,} entries", evidence):
        counted, comparison = _judged_nonzeros(layout, device, length)
    if counted != nonzeros:
        fail(
            f"{layout}: the number of entries is wrong",
            expected=f"{nonzeros:,}",
            found=f"{counted:,}",
            cause="a count kept in an integer that is too small",
        )
    margin = evidence.margin(
        "product", error=comparison.error, bound=comparison.bound, rule="exact", where=comparison.where
    )
    if not margin.passed:
        fail(
            f"{layout}: the product is wrong: {comparison.beyond:,} of {comparison.total:,} entries looked at",
            expected=f"{comparison.expected} at {comparison.where}",
            found=comparison.got,
            cause="entries past the limit are left out, or read from elsewhere",
        )


def _entry(row: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """`(column, value)` of the entry at `place` in `row`: columns rise along a row, values are 1 and -1."""
    mixed = row * 13 + place * 7
    return 2 * place + (mixed // 8) % 2, ((mixed % 3 == 0).float() * 2 - 1)


def _judged_nonzeros(layout: str, device: torch.device, length: int) -> tuple[int, Comparison]:
    column = torch.empty(_ROWS * length, dtype=torch.int64, device=device)
    value = torch.empty(_ROWS * length, device=device)
    place = torch.arange(length, device=device)
    for row in range(_ROWS):
        part = slice(row * length, (row + 1) * length)
        column[part], value[part] = _entry(torch.tensor(row, device=device), place)
    shape = (_ROWS, 2 * length)
    if layout == "csr":
        crow = torch.arange(_ROWS + 1, device=device) * length
        matrix = torch.sparse_csr_tensor(crow, column, value, shape, check_invariants=False)
    else:
        index = torch.empty(2, _ROWS * length, dtype=torch.int64, device=device)
        index[1] = column
        del column
        index[0].view(_ROWS, length).copy_(torch.arange(_ROWS, device=device)[:, None].expand(-1, length))
        matrix = torch.sparse_coo_tensor(index, value, shape, is_coalesced=True, check_invariants=False)
    generator = torch.Generator().manual_seed(0)
    h = torch.randint(-4, 5, (shape[1], _COLUMNS), generator=generator).float()
    try:
        out = torch.matmul(matrix, h.to(device))
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        if any(mark in reason for mark in _REFUSALS):
            not_applicable(
                f"torch refuses a {layout} product of this size: {reason}", needs=f"layout:{layout}"
            )
        raise
    crossing = LIMIT // length
    some = torch.randint(_ROWS, (16,), generator=generator).tolist()
    rows = torch.tensor(sorted({0, 1, crossing - 1, crossing, crossing + 1, _ROWS - 2, _ROWS - 1, *some}))
    expected = torch.empty(len(rows), _COLUMNS, dtype=torch.float64)
    for i, row in enumerate(rows):
        columns, values = _entry(row, torch.arange(length))
        expected[i] = values.double() @ h.double()[columns]
    # |h| ≤ 4 and 2^19 entries a row: whole numbers below 2^22, which float32 sums exactly in any order.
    counted = int(matrix._nnz())  # noqa: SLF001 - the count that overflowed
    return counted, compare_rows("forward", out, rows, expected, torch.zeros_like(expected))


def _require_finite(backend: Backend, *results: Tensor | None) -> None:
    for result in results:
        if result is None or not bool(torch.isfinite(result).all()):
            fail(
                f"{backend.name}: the result, or its gradient, is missing or not finite",
                expected="finite numbers only",
                cause="memory that was never written, or was written by a neighbour",
            )

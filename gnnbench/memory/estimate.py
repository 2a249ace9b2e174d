"""Peak bytes of a training step, predicted term by term from its sizes. Needs no torch and no device.

Symbols: N nodes, E edges, z = E + N entries of Â, F features, H hidden channels, C classes, s bytes a number.
Indices are int64 unless said otherwise. Two moments compete for the peak: while the backend binds the graph,
and while the step runs; the prediction is the larger. Each term says which tensors it counts, and can be
checked against `torch.profiler` with `profile_memory=True`. What libraries allocate beside torch's allocator,
and how an allocator rounds, is not predicted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gnnbench.memory.workload import Workload

Moment = Literal["bind", "step"]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of the memory in use at one moment."""

    moment: Moment
    name: str
    num_bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step is predicted to take."""

    workload: Workload
    model: str
    """Which backend's terms were used; another's than the workload's where that backend has no model."""
    terms: tuple[Term, ...]

    def at(self, moment: Moment) -> int:
        """Bytes in use at one moment."""
        return sum(term.num_bytes for term in self.terms if term.moment == moment)

    @property
    def peak_bytes(self) -> int:
        """The larger of the two moments."""
        return max(self.at("bind"), self.at("step"))

    @property
    def moment(self) -> Moment:
        """When the peak is reached."""
        return "bind" if self.at("bind") >= self.at("step") else "step"


def _sorted_layout(w: Workload) -> list[Term]:
    """COO: the matrix is sorted and duplicates are merged by `coalesce`, in float64."""
    z = w.num_nonzeros
    return [
        Term("bind", "edges", 16 * z, "the edge list with loops: two indices an entry"),
        Term("bind", "values", 8 * z, "the normalised weights, float64"),
        Term("bind", "coordinates", 16 * z, "target and source stacked as torch.sparse wants them"),
        Term(
            "bind",
            "sort",
            40 * z,
            "coalesce: keys, sorted keys, permutation, its start, the sort's own buffer",
        ),
        Term("bind", "sorted", 24 * z, "the coalesced matrix: two indices and a float64 an entry"),
        Term("step", "adjacency", (16 + w.item_bytes) * z, "Â: two indices and a number an entry"),
    ]


def _csr(w: Workload) -> list[Term]:
    """CSR: bound by way of COO; Â and its transpose stay, with 32-bit indices."""
    z, n = w.num_nonzeros, w.num_nodes
    binding = [term for term in _sorted_layout(w) if term.moment == "bind"]
    each = (4 + w.item_bytes) * z + 4 * (n + 1)
    return [*binding, Term("step", "adjacency", 2 * each, "Â and Âᵀ: an int32 column and a number an entry")]


def _csc(w: Workload) -> list[Term]:
    """CSC: bound by way of COO; torch turns it into CSR anew in every product, which sorts all entries."""
    z, n = w.num_nonzeros, w.num_nodes
    binding = [term for term in _sorted_layout(w) if term.moment == "bind"]
    return [
        *binding,
        Term(
            "step", "adjacency", (8 + w.item_bytes) * z + 8 * (n + 1), "Â: an int64 row and a number an entry"
        ),
        Term(
            "step",
            "conversion",
            56 * z,
            "to CSR: both indices, keys, sorted keys, permutation, its start, the sort's own buffer",
        ),
    ]


def _dense(w: Workload) -> list[Term]:
    """Dense: written out in float64, then rounded."""
    n, z = w.num_nodes, w.num_nonzeros
    return [
        Term("bind", "edges", 24 * z, "the edge list with loops and its weights, from which Â is written"),
        Term("bind", "matrix, float64", 8 * n * n, "Â, in which duplicates are added"),
        Term("bind", "matrix", w.item_bytes * n * n, "Â rounded"),
        Term("step", "adjacency", w.item_bytes * n * n, "Â"),
    ]


def _index_add(w: Workload) -> list[Term]:
    """Gather and scatter: no matrix, but a message an edge and channel, kept for the backward pass."""
    z, s = w.num_nonzeros, w.item_bytes
    first, second = _aggregated_widths(w)
    # Where the features themselves are aggregated, nothing flows back through the first layer's messages.
    kept = second + (first if w.num_features >= w.num_hidden else 0)
    return [
        Term("bind", "edges", 16 * z, "the edge list with loops"),
        Term("bind", "values", 40 * z, "weights, both gathered factors and two products, float64"),
        Term("step", "adjacency", (16 + s) * z, "the edge list with loops, and a number an edge"),
        Term(
            "step", "messages", s * z * kept, "of both layers: index_add keeps what it added for its backward"
        ),
        Term(
            "step",
            "gradient of the messages",
            s * z * max(first, second),
            "one layer's at a time, gathered for every edge; or the features gathered on the way forward",
        ),
    ]


def _pyg(w: Workload) -> list[Term]:
    """PyG's GCNConv on edges: the transform first, always, and its scatter keeps no messages."""
    z, s = w.num_nonzeros, w.item_bytes
    return [
        Term("bind", "edges", 16 * z, "the edge list with loops"),
        Term("step", "adjacency", (16 + s) * z, "the edge list with loops, and a number an edge"),
        Term(
            "step",
            "messages",
            2 * s * z * max(w.num_hidden, w.num_classes),
            "one layer's at a time: gathered, and weighed",
        ),
        Term("step", "scatter", 32 * z, "torch's CPU kernel sorts the targets: keys and rows, twice"),
    ]


_MODELS: dict[str, Callable[[Workload], list[Term]]] = {
    "dense": _dense,
    "coo": _sorted_layout,
    "csr": _csr,
    "csc": _csc,
    "index_add": _index_add,
    "pyg": _pyg,
    "pyg_edgeindex": _pyg,
}

#: A backend without a model is planned for as gather and scatter, the most that a sparse one should need.
FALLBACK = "index_add"


def _aggregated_widths(w: Workload) -> tuple[int, int]:
    """Channels that each layer aggregates: it multiplies before or after, whichever is narrower."""
    return min(w.num_features, w.num_hidden), min(w.num_hidden, w.num_classes)


def _common(w: Workload) -> list[Term]:
    """What the step holds whatever the backend."""
    n, s = w.num_nodes, w.item_bytes
    # Three at a time: input, zeroed output and output of a sparse product, or logits, log-probabilities and
    # their gradient. Two at relu's backward, beside relu's own result.
    in_flight = max(3 * _aggregated_widths(w)[0], 2 * w.num_hidden, 3 * w.num_classes)
    return [
        Term("step", "features", s * n * w.num_features, "X [N, F]"),
        Term("step", "labels", 8 * n, "an int64 a node"),
        Term("step", "activations", s * n * w.num_hidden, "relu's result [N, H], kept for the backward pass"),
        Term(
            "step",
            "in flight",
            s * n * in_flight,
            "what operators read and write beside, at the widest place",
        ),
        Term(
            "step",
            "parameters",
            5 * s * w.num_parameters,
            "weights, gradients, Adam's two moments, and a copy",
        ),
    ]


def estimate(workload: Workload, *, device: str = "cpu") -> Estimate:
    """Predict the peak of one training step.

    Args:
        workload: the sizes, and the backend by name.
        device: `cpu`, or a GPU, where the edge list is a copy that counts.
    """
    model = workload.backend if workload.backend in _MODELS else FALLBACK
    terms = [*_MODELS[model](workload), *_common(workload)]
    if device != "cpu":
        edges = 16 * workload.num_edges
        terms.append(Term("bind", "edge list", edges, "the graph as given, copied to the device"))
    return Estimate(workload, model, tuple(terms))


def largest_nodes(workload: Workload, budget: int, *, device: str = "cpu") -> int:
    """The most nodes, at the workload's edges a node, predicted to fit `budget` bytes; 0 where none do."""

    def fits(num_nodes: int) -> bool:
        return estimate(workload.with_nodes(num_nodes), device=device).peak_bytes <= budget

    if not fits(1):
        return 0
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class LinearBound:
    """`peak ≤ a·nnz + b·N·F` bytes, the promise of a backend that never writes out N² of anything."""

    per_nonzero: float
    """a, in bytes."""
    per_feature: float
    """b, in bytes."""
    num_bytes: int
    """The bound at the workload's sizes."""
    rule: str


def linear_bound(workload: Workload, *, device: str = "cpu") -> LinearBound:
    """The most that a sparse backend's step may take.

    a and b are sums of the estimate's terms, those that grow with the entries of Â and those that grow with
    the nodes. Binding and step are added up though they do not coincide, and Â counts twice, since the sparse
    products of MKL and cuSPARSE may convert it: what is beyond that is not explained by any term.

    Raises:
        ValueError: for the dense backend, which makes no such promise.
    """
    found = estimate(workload, device=device)
    if found.model == "dense":
        raise ValueError(
            "expected a sparse backend, found 'dense': its memory grows with the square of the nodes"
        )
    z, nf = workload.num_nonzeros, workload.num_nodes * workload.num_features
    per_node = {term.name for term in _common(workload)}
    nodes = sum(term.num_bytes for term in found.terms if term.name in per_node)
    twice = sum(term.num_bytes for term in found.terms if term.name == "adjacency")
    entries = sum(term.num_bytes for term in found.terms) - nodes + twice
    a, b = entries / z, nodes / nf
    return LinearBound(a, b, entries + nodes, f"{a:.0f} B·nnz + {b:.1f} B·N·F, by the terms of {found.model}")

"""PyTorch Geometric's `GCNConv`, driven with parameters from outside. It normalises by itself, in every call.

What each of its paths does was tried on every probe graph, and tests/test_reference_pyg.py holds it fast
(PyG's issues #129 and #2288, its pull request #8210 and `gcn_norm` tell the story):

| path         | self-loops                                                   | duplicate edges            |
|--------------|--------------------------------------------------------------|----------------------------|
| edge_index   | `add_remaining_self_loops`: one for each node that has none; | add up, but of several     |
|              | those that are there keep their weight                       | self-loops of a node PyG   |
|              |                                                              | keeps one                  |
| EdgeIndex    | as edge_index                                                | as edge_index              |
| torch.sparse | `add_self_loops`: A + I, one more for every node             | add up where weighted;     |
|              |                                                              | unweighted ones merge to 1 |
| SparseTensor | `fill_diag`: every node has one of weight 1, in place of     | add up                     |
|              | those that are there (read in the sources, not tried)        |                            |

Where PyG's answer is not that of the convention asked for, `bind` raises `UnsupportedByBackend`.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.protocol import UnsupportedByBackend


class GcnConvLayer:
    """`torch_geometric.nn.GCNConv` on one graph, as a function of x, weight and bias.

    Not cached: what PyG computes from the graph is computed in each call, as it is for a user who trains on
    changing graphs, and is part of what is tested.
    """

    def __init__(
        self, edges: Any, edge_weight: Tensor | None, *, self_loops: SelfLoops, compiled: bool = False
    ) -> None:
        self._edges = edges
        self._edge_weight = edge_weight
        self._add_self_loops = self_loops != "none"
        self._compiled = compiled

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x `[N, F]`, weight `[F, C]`, bias `[C]` or None; the result is `[N, C]`."""
        prefix = "_orig_mod." if self._compiled else ""
        parameters = {f"{prefix}lin.weight": weight.t()}
        if bias is not None:
            parameters[f"{prefix}bias"] = bias
        convolution = _convolution(
            weight.shape[0],
            weight.shape[1],
            add_self_loops=self._add_self_loops,
            bias=bias is not None,
            compiled=self._compiled,
        )
        out: Tensor = torch.func.functional_call(convolution, parameters, (x, self._edges, self._edge_weight))
        return out


class CachedGcnConvLayer:
    """`GCNConv(cached=True)` on one graph: a module for each pair of widths, which keeps what it normalised.

    A module's first call fills its cache, and is made here with features of zeros and its result dropped: so
    every result comes from the cache, the first one too.
    """

    def __init__(self, edge_index: Tensor, edge_weight: Tensor | None, *, self_loops: SelfLoops) -> None:
        self._edge_index = edge_index
        self._edge_weight = edge_weight
        self._add_self_loops = self_loops != "none"
        self._convolutions: dict[tuple[object, ...], Any] = {}

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x `[N, F]`, weight `[F, C]`, bias `[C]` or None; the result is `[N, C]`."""
        parameters = {"lin.weight": weight.t()}
        if bias is not None:
            parameters["bias"] = bias
        key = (weight.shape, bias is None, x.dtype)
        convolution = self._convolutions.get(key)
        if convolution is None:
            convolution = self._convolutions[key] = _make_convolution(
                weight.shape[0],
                weight.shape[1],
                add_self_loops=self._add_self_loops,
                bias=bias is not None,
                cached=True,
            )
            with torch.no_grad():
                self._call(convolution, parameters, torch.zeros_like(x))
        out: Tensor = self._call(convolution, parameters, x)
        return out

    def _call(self, convolution: Any, parameters: dict[str, Tensor], x: Tensor) -> Any:
        operands = (x, self._edge_index, self._edge_weight)
        return torch.func.functional_call(convolution, parameters, operands)


class WeightedGcnConvLayer:
    """`GCNConv` with edge weights that come with each call, differentiable in them through `gcn_norm`.

    `edges(edge_weight)` makes what GCNConv takes for edges and weights.
    """

    def __init__(
        self,
        edges: Callable[[Tensor], tuple[Any, Tensor | None]],
        *,
        self_loops: SelfLoops,
        compiled: bool = False,
    ) -> None:
        self._edges = edges
        self._self_loops = self_loops
        self._compiled = compiled

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None, edge_weight: Tensor) -> Tensor:
        """x `[N, F]`, weight `[F, C]`, bias `[C]` or None, edge_weight `[E]`; the result is `[N, C]`."""
        edges, weights = self._edges(edge_weight)
        layer = GcnConvLayer(edges, weights, self_loops=self._self_loops, compiled=self._compiled)
        return layer(x, weight, bias)


@cache
def _convolution(num_features: int, num_outputs: int, *, compiled: bool, **options: bool) -> Any:
    """A `GCNConv` of these widths, one for all graphs: it keeps nothing of the graphs it was called with."""
    convolution = _make_convolution(num_features, num_outputs, **options)
    # The module is what PyG's users compile; Inductor does not compile the functional call around it.
    return torch.compile(convolution, dynamic=True) if compiled else convolution


def _make_convolution(num_features: int, num_outputs: int, **options: bool) -> Any:
    nn = require_pyg("torch_geometric.nn")
    # On the meta device, because its own parameters are never used, and so that it draws no random numbers.
    with torch.device("meta"):
        return nn.GCNConv(num_features, num_outputs, **options)


def require_pyg(module: str) -> Any:
    """A module of PyTorch Geometric; raises `UnsupportedByBackend` where it is not installed.

    Only its absence is unsupported. Where an installed PyG won't import, the image is at fault and the
    error passes.
    """
    try:
        with warnings.catch_warnings():
            # PyG still uses torch.jit.script. Its other warnings, of broken extensions, must be seen.
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch_geometric":
            raise
        raise UnsupportedByBackend(
            "PyTorch Geometric is not installed: pip install torch-geometric"
        ) from error


def require_edge_index_convention(graph: Graph, self_loops: SelfLoops, *, path: str) -> None:
    """Raise `UnsupportedByBackend` where PyG's edge_index path answers other than `self_loops` asks.

    That path adds no self-loop where there is one, and keeps only one where a node has several.
    """
    loops = graph.target[graph.source == graph.target]
    if self_loops == "add" and len(loops):
        raise UnsupportedByBackend(
            f"PyG's {path} path adds remaining self-loops only: node {int(loops[0])} has one already, "
            f"which A + I (self_loops='add') would add to"
        )
    if self_loops == "add_remaining":
        repeated = (torch.bincount(loops, minlength=1) > 1).nonzero()
        if len(repeated):
            raise UnsupportedByBackend(
                f"PyG's {path} path keeps one self-loop a node: node {int(repeated[0])} has several, "
                f"which add up"
            )


def require_sparse_convention(graph: Graph, self_loops: SelfLoops) -> None:
    """Raise `UnsupportedByBackend` where PyG's torch.sparse path answers other than `self_loops` asks."""
    if self_loops == "add_remaining" and graph.has_self_loops:
        raise UnsupportedByBackend(
            "PyG's torch.sparse path adds a self-loop to every node (A + I), also to those that have one"
        )
    if not graph.is_weighted and graph.has_duplicate_edges:
        raise UnsupportedByBackend(
            "PyG's to_torch_csr_tensor merges unweighted duplicate edges into one edge of weight 1"
        )


def require_sparsetensor_convention(graph: Graph, self_loops: SelfLoops) -> None:
    """Raise `UnsupportedByBackend` where PyG's SparseTensor path answers other than `self_loops` asks.

    `fill_diag` takes the loops of a node away and gives it one of weight 1: right where A has none, and under
    `"add_remaining"` where those of a node weigh 1 together.
    """
    loops = graph.source == graph.target
    if self_loops == "none" or not bool(loops.any()):
        return
    nodes = graph.source[loops]
    weight = torch.zeros(graph.num_nodes, dtype=torch.float64, device=graph.device)
    weight.index_add_(0, nodes, graph.weights(torch.float64)[loops])
    wrong = nodes if self_loops == "add" else nodes[weight[nodes] != 1]
    if len(wrong):
        node = int(wrong[0])
        raise UnsupportedByBackend(
            f"PyG's SparseTensor path puts one self-loop of weight 1 in the place of those of a node: node "
            f"{node} has some that weigh {float(weight[node]):g}, which self_loops={self_loops!r} keeps"
        )

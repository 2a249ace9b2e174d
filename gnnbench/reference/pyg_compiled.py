"""PyTorch Geometric's `GCNConv` on a plain `edge_index`, through `torch.compile`."""

from __future__ import annotations

import torch
from torch import Tensor

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.compiled import compiling, require_compiler
from gnnbench.reference.protocol import Layer, WeightedLayer
from gnnbench.reference.pyg import (
    GcnConvLayer,
    WeightedGcnConvLayer,
    require_edge_index_convention,
    require_pyg,
)


class PygCompiledBackend:
    """`torch.compile(GCNConv(...), dynamic=True)`, as PyG's documentation has it, graph breaks allowed."""

    name = "pyg_compiled"
    tier = "standard"
    compiles = True

    def bind(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> Layer:
        """Hand the edges over as they are.

        Raises:
            UnsupportedByBackend: where this path's self-loops differ, or nothing can be compiled for
                `device`.
        """
        require_pyg("torch_geometric.nn")
        require_edge_index_convention(graph, self_loops, path="edge_index")
        require_compiler(device)
        placed = graph.to(device)
        weight = placed.weights(dtype) if placed.is_weighted else None
        convolution = GcnConvLayer(placed.edge_index, weight, self_loops=self_loops, compiled=True)

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            with compiling():
                return convolution(x, weight, bias)

        return layer

    def bind_weighted(
        self, graph: Graph, *, device: torch.device, dtype: torch.dtype, self_loops: SelfLoops = "add"
    ) -> WeightedLayer:
        """As `bind`, the weights handed to the compiled GCNConv in each call."""
        require_pyg("torch_geometric.nn")
        require_edge_index_convention(graph, self_loops, path="edge_index")
        require_compiler(device)
        edge_index = graph.to(device).edge_index
        convolution = WeightedGcnConvLayer(
            lambda weight: (edge_index, weight.to(dtype)), self_loops=self_loops, compiled=True
        )

        def layer(x: Tensor, weight: Tensor, bias: Tensor | None, edge_weight: Tensor) -> Tensor:
            with compiling():
                return convolution(x, weight, bias, edge_weight)

        return layer

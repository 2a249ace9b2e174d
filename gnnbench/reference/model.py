"""The two-layer GCN of Kipf & Welling (2017) for node classification."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnnbench.graphs import Graph, SelfLoops
from gnnbench.reference.features import SparseFeatures
from gnnbench.reference.layer import AggregatingLayer
from gnnbench.reference.protocol import Backend, Layer
from gnnbench.reference.registry import backend as find_backend


class GCN(nn.Module):
    """`Â relu(Â X W₁ + b₁) W₂ + b₂`, with dropout before each transform: eq. 9, without softmax.

    Args:
        graph: what the layers are bound to.
        num_features: F.
        num_classes: C.
        hidden: width between the layers.
        dropout: probability, for the input and between the layers.
        backend: a backend, or the name of a registered one.
        device: of parameters, input and output.
        dtype: of parameters, and what the layers are bound to.
        self_loops: the convention, as `Graph.with_self_loops` has it.
        seed: of the initial parameters, which are drawn on the CPU and so are the same on every device.

    Raises:
        KeyError: for a backend that is not registered.
        UnsupportedByBackend: where the backend can't serve graph, device, dtype or convention.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        num_features: int,
        num_classes: int,
        hidden: int = 16,
        dropout: float = 0.5,
        backend: str | Backend = "csr",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        self_loops: SelfLoops = "add",
        seed: int = 0,
    ) -> None:
        super().__init__()
        device = torch.device(device)
        chosen = find_backend(backend) if isinstance(backend, str) else backend
        self.layer: Layer = chosen.bind(graph, device=device, dtype=dtype, self_loops=self_loops)
        self.dropout = dropout
        generator = torch.Generator().manual_seed(seed)
        self.weight_1 = _glorot(num_features, hidden, generator, device, dtype)
        self.bias_1 = nn.Parameter(torch.zeros(hidden, device=device, dtype=dtype))
        self.weight_2 = _glorot(hidden, num_classes, generator, device, dtype)
        self.bias_2 = nn.Parameter(torch.zeros(num_classes, device=device, dtype=dtype))

    def forward(self, x: Tensor | SparseFeatures) -> Tensor:
        """Class scores `[N, C]` from features `[N, F]`, dense or sparse.

        From sparse features the product with the first weight is taken here, at the cost of what is stored;
        the backend does the rest.
        """
        if isinstance(x, SparseFeatures):
            dropped = x.dropout(self.dropout, training=self.training)
            hidden = _propagate(self.layer, dropped.transform(self.weight_1), self.bias_1)
        else:
            dense = functional.dropout(x, self.dropout, self.training)
            hidden = self.layer(dense, self.weight_1, self.bias_1)
        hidden = functional.dropout(functional.relu(hidden), self.dropout, self.training)
        return self.layer(hidden, self.weight_2, self.bias_2)


def _propagate(layer: Layer, h: Tensor, bias: Tensor) -> Tensor:
    """`Â h + bias`. A layer that can't aggregate alone is given the identity as its weight."""
    if isinstance(layer, AggregatingLayer):
        return layer.aggregate(h) + bias
    return layer(h, torch.eye(h.shape[1], dtype=h.dtype, device=h.device), bias)


def _glorot(
    rows: int, columns: int, generator: torch.Generator, device: torch.device, dtype: torch.dtype
) -> nn.Parameter:
    """Uniform in ±√(6 / (rows + columns)) (Glorot & Bengio 2010)."""
    bound = (6 / (rows + columns)) ** 0.5
    drawn = (torch.rand(rows, columns, generator=generator) * 2 - 1) * bound
    return nn.Parameter(drawn.to(device, dtype))

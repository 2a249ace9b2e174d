"""A graph whose nodes have features and a class, and which of them are for training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from gnnbench.graphs.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class NodeClassification:
    """Semi-supervised node classification on one graph, the task of Kipf & Welling (2017).

    Args:
        name: `"Cora"`, or `"cora_stand_in"`.
        graph: N nodes.
        features: sparse CSR `[N, F]`, float32, each row divided by its sum.
        labels: int64 `[N]`.
        train_mask: bool `[N]`; so are the others.
        num_classes: C.
    """

    name: str
    graph: Graph
    features: Tensor
    labels: Tensor
    train_mask: Tensor
    val_mask: Tensor
    test_mask: Tensor
    num_classes: int

    @property
    def num_features(self) -> int:
        """F."""
        return int(self.features.shape[1])

    def dense_features(self) -> Tensor:
        """float32 `[N, F]`, strided."""
        return self.features.to_dense()

    def to(self, device: torch.device | str) -> NodeClassification:
        """The same on `device`."""
        return NodeClassification(
            self.name,
            self.graph.to(device),
            self.features.to(device),
            self.labels.to(device),
            self.train_mask.to(device),
            self.val_mask.to(device),
            self.test_mask.to(device),
            self.num_classes,
        )


def row_normalised_csr(counts: Tensor) -> Tensor:
    """Dense `[N, F]` of numbers ≥ 0 as float32 CSR, each row divided by its sum; empty rows stay empty."""
    rows = counts.float() / counts.float().sum(dim=1, keepdim=True).clamp_min(1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return rows.to_sparse_csr()

"""The GCN of Kipf & Welling (2017): one backend a file, the registry, and the model built from them."""

from gnnbench.reference.compiled import CompiledBackend, IndexAddCompiledBackend
from gnnbench.reference.coo import CooBackend
from gnnbench.reference.csc import CscBackend
from gnnbench.reference.csr import CsrBackend
from gnnbench.reference.dense import DenseBackend
from gnnbench.reference.features import SparseFeatures
from gnnbench.reference.index_add import IndexAddBackend
from gnnbench.reference.model import GCN
from gnnbench.reference.protocol import Backend, Layer, UnsupportedByBackend, WeightedBackend, WeightedLayer
from gnnbench.reference.pyg_compiled import PygCompiledBackend
from gnnbench.reference.pyg_edge_index import PygEdgeIndexBackend
from gnnbench.reference.pyg_edgeindex import PygEdgeIndexClassBackend
from gnnbench.reference.pyg_sparse import PygSparseBackend
from gnnbench.reference.registry import (
    ENTRY_POINT_GROUP,
    BrokenBackend,
    backend,
    backends,
    register_backend,
    unregister_backend,
)
from gnnbench.reference.training import TrainingResult, train

for _backend in (
    DenseBackend(),
    CooBackend(),
    CsrBackend(),
    CscBackend(),
    IndexAddBackend(),
    PygEdgeIndexBackend(),
    PygSparseBackend(),
    PygEdgeIndexClassBackend(),
    IndexAddCompiledBackend(),
    PygCompiledBackend(),
):
    register_backend(_backend)
del _backend

__all__ = [
    "ENTRY_POINT_GROUP",
    "GCN",
    "Backend",
    "BrokenBackend",
    "CompiledBackend",
    "Layer",
    "SparseFeatures",
    "TrainingResult",
    "UnsupportedByBackend",
    "WeightedBackend",
    "WeightedLayer",
    "backend",
    "backends",
    "register_backend",
    "train",
    "unregister_backend",
]

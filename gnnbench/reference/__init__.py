"""The GCN of Kipf & Welling (2017): one backend a file, the registry, and the model built from them.

The layers of GraphSAGE and GAT are in `sage` and `gat`, each with backends and a list of its own.
"""

from gnnbench.reference.compiled import CompiledBackend, IndexAddCompiledBackend
from gnnbench.reference.coo import CooBackend
from gnnbench.reference.csc import CscBackend
from gnnbench.reference.csr import CsrBackend
from gnnbench.reference.cudagraph import CudaGraphBackend
from gnnbench.reference.dense import DenseBackend
from gnnbench.reference.features import SparseFeatures
from gnnbench.reference.gat import register_gat
from gnnbench.reference.index_add import IndexAddBackend
from gnnbench.reference.model import GCN
from gnnbench.reference.protocol import (
    Backend,
    Layer,
    UnsupportedByBackend,
    WeightedBackend,
    WeightedLayer,
    compiles,
)
from gnnbench.reference.pyg_cached import PygCachedBackend
from gnnbench.reference.pyg_compiled import PygCompiledBackend
from gnnbench.reference.pyg_edge_index import PygEdgeIndexBackend
from gnnbench.reference.pyg_edgeindex import PygEdgeIndexClassBackend
from gnnbench.reference.pyg_sparse import PygSparseBackend
from gnnbench.reference.pyg_sparsetensor import PygSparseTensorBackend
from gnnbench.reference.registry import (
    ENTRY_POINT_GROUP,
    BrokenBackend,
    backend,
    backends,
    register_backend,
    unregister_backend,
)
from gnnbench.reference.sage import register_sage
from gnnbench.reference.sparse_features import SparseFeaturesBackend
from gnnbench.reference.training import TrainingResult, train

for _backend in (
    DenseBackend(),
    CooBackend(),
    CsrBackend(),
    CscBackend(),
    IndexAddBackend(),
    SparseFeaturesBackend(),
    PygEdgeIndexBackend(),
    PygSparseBackend(),
    PygEdgeIndexClassBackend(),
    PygSparseTensorBackend(),
    PygCachedBackend(),
    IndexAddCompiledBackend(),
    PygCompiledBackend(),
    CudaGraphBackend(CsrBackend()),
    # Not here, for they do not compile (torch 2.13, PyG 2.8.1, 2026-11; tests/test_reference_compiled.py turns red
    # when that changes): sparse_features and PyG's torch.sparse path, on which Dynamo finds no size ("tuple index
    # out of range"), and PyG's EdgeIndex ("SymInt is not tracked with proxy", where shapes are dynamic).
    CompiledBackend(DenseBackend(), tier="full"),
    CompiledBackend(CooBackend(), tier="full"),
    CompiledBackend(CsrBackend(), tier="full"),
    CompiledBackend(CscBackend(), tier="full"),
):
    register_backend(_backend)
del _backend

__all__ = [
    "ENTRY_POINT_GROUP",
    "GCN",
    "Backend",
    "BrokenBackend",
    "CompiledBackend",
    "CudaGraphBackend",
    "Layer",
    "SparseFeatures",
    "TrainingResult",
    "UnsupportedByBackend",
    "WeightedBackend",
    "WeightedLayer",
    "backend",
    "backends",
    "compiles",
    "register_backend",
    "register_gat",
    "register_sage",
    "train",
    "unregister_backend",
]

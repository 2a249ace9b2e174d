"""The layer of graph attention networks (Veličković et al. 2018): one implementation a file, and their list."""

from gnnbench.reference.gat.deferred import DeferredGat
from gnnbench.reference.gat.dense import DenseGat
from gnnbench.reference.gat.protocol import NEGATIVE_SLOPE, GatBackend, GatLayer
from gnnbench.reference.gat.pyg import PygGat, PygSparseGat
from gnnbench.reference.gat.scatter import ScatterGat
from gnnbench.reference.roster import Roster

_ROSTER: Roster[GatBackend] = Roster("GAT layer")

for _backend in (DenseGat(), ScatterGat(), DeferredGat(), PygGat(), PygSparseGat()):
    _ROSTER.register(_backend)
del _backend

#: `register_gat(backend)` puts a GAT layer through the equivalence suite; nobody writes a test for it.
register_gat = _ROSTER.register
unregister_gat = _ROSTER.unregister
gat_backend = _ROSTER.get
gat_backends = _ROSTER.all

__all__ = [
    "NEGATIVE_SLOPE",
    "GatBackend",
    "GatLayer",
    "gat_backend",
    "gat_backends",
    "register_gat",
    "unregister_gat",
]

"""The mean layer of GraphSAGE (Hamilton, Ying & Leskovec 2017): one implementation a file, and their list."""

from gnnbench.reference.roster import Roster
from gnnbench.reference.sage.csr import CsrSage
from gnnbench.reference.sage.dense import DenseSage
from gnnbench.reference.sage.index_add import IndexAddSage
from gnnbench.reference.sage.protocol import SageBackend, SageLayer
from gnnbench.reference.sage.pyg import PygSage, PygSparseSage

_ROSTER: Roster[SageBackend] = Roster("GraphSAGE layer")

for _backend in (DenseSage(), IndexAddSage(), CsrSage(), PygSage(), PygSparseSage()):
    _ROSTER.register(_backend)
del _backend

#: `register_sage(backend)` puts a GraphSAGE layer through the equivalence suite; nobody writes a test for it.
register_sage = _ROSTER.register
unregister_sage = _ROSTER.unregister
sage_backend = _ROSTER.get
sage_backends = _ROSTER.all

__all__ = [
    "SageBackend",
    "SageLayer",
    "register_sage",
    "sage_backend",
    "sage_backends",
    "unregister_sage",
]

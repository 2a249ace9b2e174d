"""The training step whose memory is looked for: its sizes. Torch-free, so that it can be planned anywhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

#: Bytes of one number.
ITEM_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One step of training a two-layer GCN on a power-law graph: forward, cross-entropy, backward, Adam.

    F features, H hidden channels and C classes a node; layer by layer `relu(Â X W₁ + b₁)` and `Â H W₂ + b₂`.
    """

    backend: str
    num_nodes: int
    num_edges: int
    num_features: int = 64
    num_hidden: int = 16
    num_classes: int = 16
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_nodes", "num_features", "num_hidden", "num_classes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, found {getattr(self, name)}")
        if self.num_edges < 0:
            raise ValueError(f"num_edges: expected 0 or more, found {self.num_edges}")
        if self.dtype not in ITEM_BYTES:
            raise ValueError(f"dtype: expected one of {', '.join(ITEM_BYTES)}, found {self.dtype!r}")

    @property
    def num_nonzeros(self) -> int:
        """Entries of Â: an edge each and a loop a node, taking no two edges to be the same."""
        return self.num_edges + self.num_nodes

    @property
    def num_parameters(self) -> int:
        """Numbers in both weights and both biases."""
        first = (self.num_features + 1) * self.num_hidden
        return first + (self.num_hidden + 1) * self.num_classes

    @property
    def item_bytes(self) -> int:
        """Bytes of one number."""
        return ITEM_BYTES[self.dtype]

    def with_nodes(self, num_nodes: int) -> Workload:
        """The same at another number of nodes, with as many edges a node."""
        return replace(
            self, num_nodes=num_nodes, num_edges=round(num_nodes * self.num_edges / self.num_nodes)
        )

    def encode(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

"""A graph on which a backend was wrong, whole: what `gnnbench replay` needs, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gnnbench.record.codec import decode
from gnnbench.record.result import Result
from gnnbench.record.run import Run

#: Under this name a result holds one among its facts.
COUNTEREXAMPLE = "counterexample"

#: Under this name the result of a replay holds the id of the check that recorded the graph.
REPLAYED = "replayed"

SCHEMA = "gnnbench.counterexample/1"

#: (2 - 2^-23) 2^127
_FLOAT32_MAX = 3.4028234663852886e38

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """One GCN layer on one graph, forward and backward, with every number that goes into it.

    Numbers have nine significant digits, which give back every float32 bit for bit.
    """

    schema: str = SCHEMA
    backend: str
    device: str
    self_loops: str
    """`add`, `add_remaining`, `none`."""
    num_nodes: int
    edge_index: tuple[tuple[int, ...], ...]
    """Sources, then targets."""
    edge_weight: tuple[float, ...] | None
    x: Matrix
    """`[N][F]`."""
    weight: Matrix
    """`[F][C]`, F and C at least 1."""
    bias: tuple[float, ...] | None
    """`[C]`."""
    upstream: Matrix
    """`[N][C]`: the derivative of the loss by the layer's result."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(
                f"schema: expected {SCHEMA}, found {self.schema!r:.80}; a newer gnnbench reads it"
            )
        if not self.backend:
            raise ValueError("backend: expected a name, found none")
        if not re.fullmatch(r"[a-z]+(:\d+)?", self.device):
            raise ValueError(f"device: expected a name such as cpu or cuda:0, found {self.device!r:.80}")
        if self.self_loops not in ("add", "add_remaining", "none"):
            raise ValueError(
                f"self_loops: expected add, add_remaining or none, found {self.self_loops!r:.80}"
            )
        self._require_edges()
        self._require_operands()

    def _require_edges(self) -> None:
        if self.num_nodes < 0:
            raise ValueError(f"num_nodes: expected 0 or more, found {self.num_nodes}")
        if len(self.edge_index) != 2 or len(self.edge_index[0]) != len(self.edge_index[1]):
            lengths = [len(row) for row in self.edge_index]
            raise ValueError(f"edge_index: expected 2 rows of one length, found rows of {lengths!s:.80}")
        for row in self.edge_index:
            for node in row:
                if not 0 <= node < self.num_nodes:
                    raise ValueError(
                        f"edge_index: expected nodes from 0 to {self.num_nodes - 1}, found {node}"
                    )
        if self.edge_weight is not None:
            _require_row("edge_weight", self.edge_weight, len(self.edge_index[0]))
            if min(self.edge_weight, default=0.0) < 0:
                raise ValueError(f"edge_weight: expected none below 0, found {min(self.edge_weight)}")

    def _require_operands(self) -> None:
        features, channels = len(self.weight), len(self.weight[0]) if self.weight else 0
        if not channels:
            raise ValueError("weight: expected at least 1 row of at least 1 number, found none")
        _require("weight", self.weight, features, channels)
        _require("x", self.x, self.num_nodes, features)
        _require("upstream", self.upstream, self.num_nodes, channels)
        if self.bias is not None:
            _require_row("bias", self.bias, channels)


def _require(name: str, rows: Matrix, length: int, width: int) -> None:
    if len(rows) != length or any(len(row) != width for row in rows):
        raise ValueError(f"{name}: expected {length} rows of {width} numbers, found others")
    for row in rows:
        _require_row(name, row, width)


def _require_row(name: str, row: Sequence[float], length: int) -> None:
    if len(row) != length:
        raise ValueError(f"{name}: expected {length} number{'s' * (length != 1)}, found {len(row)}")
    for value in row:
        if not abs(value) <= _FLOAT32_MAX:
            raise ValueError(f"{name}: expected numbers that float32 holds, found {value}")


def counterexamples(run: Run) -> tuple[tuple[Result, Counterexample], ...]:
    """Every graph that `run` has recorded, with the result that found it.

    Raises `DocumentError` naming the result whose graph is none.
    """
    found = []
    for result in run.results:
        if COUNTEREXAMPLE in result.facts:
            path = f"{result.id}: facts.{COUNTEREXAMPLE}"
            found.append((result, decode(Counterexample, result.facts[COUNTEREXAMPLE], path)))
    return tuple(found)

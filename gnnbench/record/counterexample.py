"""A graph on which a backend was wrong, whole: what `gnnbench replay` needs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
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

"""Layers whose inverse roots round, as no standard forbids: what is exact with other roots, they get bounds for."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gnnbench.checks import Evidence
from gnnbench.numerics import Comparison, InverseRoots, inverse_roots, roots_graph
from gnnbench.reference.roster import Named

#: By backend, device and dtype; the backend itself keeps its id from being given to another.
_known: dict[tuple[int, torch.device, torch.dtype], tuple[Named, InverseRoots | None]] = {}


def settled(evidence: Evidence, backend: Named, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """`comparisons`, those that failed to be equal judged by their bounds if the backend's roots round.

    The backend is asked only where a bound would help, so that nobody pays who is exact.
    """
    return [_settled(evidence, backend, one) for one in comparisons]


def _settled(evidence: Evidence, backend: Named, comparison: Comparison) -> Comparison:
    by_bound = comparison.by_bound
    if by_bound is None or not by_bound.comparison.passed:
        return comparison
    roots = roots_of(backend, by_bound.device, by_bound.dtype)
    if roots is None or not roots.rounded:
        return comparison
    evidence.fact("inverse_roots", f"off by {roots.roundings:.2g} u: judged within bounds, not bit for bit")
    return by_bound.comparison


def roots_of(backend: Named, device: torch.device, dtype: torch.dtype) -> InverseRoots | None:
    """What is known of its roots; None where it is no GCN layer, or raises."""
    key = id(backend), device, dtype
    if key not in _known:
        try:
            layer = backend.bind(roots_graph(), device=device, dtype=dtype, self_loops="add")
            roots = inverse_roots(layer, device, dtype)  # type: ignore[arg-type]
        except Exception:
            # Not asked for its own sake: the check that brought us here has a failure to show.
            roots = None
        _known[key] = backend, roots
    return _known[key][1]

"""What is asked of `bind` is asked of `bind_weighted`: its layer, given the weights of the graph, is one like others.

The checks are those of the other files, run on `GivenWeights`. Gradients by edge weights are judged in
`test_edge_weights`, `test_weighted_operands` and `test_weighted_calls`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pytest
import torch

from gnnbench.checks import CheckFailed, Evidence, NotApplicable, Tier, check
from gnnbench.checks.declaration import CHECK_MARKER
from gnnbench.graphs import exact_probe_graphs, probe_graphs
from gnnbench.reference import WeightedBackend

from . import (
    test_algebra,
    test_bounded,
    test_calls,
    test_determinism,
    test_edge_values,
    test_exact,
    test_magnitudes,
    test_precision,
    test_relations,
    test_shapes,
    test_state,
    test_use,
)
from .variants import slow
from .weighted import GivenWeights

#: Probes on which the layer is asked as `test_exact` and `test_bounded` do; the others have gradients by edge
#: weights to show in `test_edge_weights`, and nothing that these don't have.
_EXACT = ("exact_weighted", "exact_negative", "exact_hub_1024", "exact_all")
_BOUNDED = ("random", "hub_2049", "isolated", "no_edges", "one_node")


def _on_probes() -> Mapping[str, Callable[..., None]]:
    exact = {probe.name: probe for probe in exact_probe_graphs()}
    bounded = {probe.name: probe for probe in probe_graphs()}
    return (
        {f"gradients on {name}": partial(test_exact.test_gradients, probe=exact[name]) for name in _EXACT}
        | {f"bounded on {name}": partial(test_bounded.test_layer, probe=bounded[name]) for name in _BOUNDED}
        | {
            f"self_loops={mode}": partial(test_exact.test_self_loops, probe="exact_mixed", self_loops=mode)
            for mode in ("add_remaining", "none")
        }
    )


#: What is asked, by the file that it comes from. Compiled backends are asked the first of each before tier full.
ASKED: dict[str, Mapping[str, Callable[..., None]]] = {
    "probes": _on_probes(),
    "use": {
        "inference": partial(test_use.test_inference, mode="inference_mode"),
        "evaluation": partial(test_use.test_inference, mode="no_grad"),
        "masked_loss": test_use.test_masked_loss,
        "global_state": test_use.test_global_state,
        "thread": test_use.test_thread,
        "nan": partial(test_use.test_not_finite, number=float("nan")),
        "inf": partial(test_use.test_not_finite, number=float("inf")),
        "float64": test_use.test_float64,
        "same_bits": test_determinism.test_same_bits,
        "declared": test_precision.test_declared,
        "tripwire": partial(test_precision.test_tripwire, operand="x", quantities=("forward", "dW")),
        "tripwire, backward": partial(test_precision.test_tripwire, operand="upstream", quantities=("dX",)),
    },
    "calls": {
        "changed_operands": test_calls.test_changed_operands,
        "two_results": test_calls.test_two_results,
        "interleaved": test_calls.test_interleaved,
        "backward_twice": test_calls.test_backward_twice,
        "same_edges": test_calls.test_same_edges,
        "operands_unchanged": test_state.test_operands_unchanged,
        "second_graph": test_state.test_second_graph,
        "second_call": test_state.test_second_call,
    },
    "relations": {
        "edge_order": test_relations.test_edge_order,
        "edge_storage": test_relations.test_edge_storage,
        "gradient_through_views": test_relations.test_gradient_through_views,
        "linearity": test_algebra.test_linearity,
    },
    "shapes": {
        "row_lengths": test_shapes.test_row_lengths,
        "empty": test_shapes.test_empty,
        "many_edges": partial(test_edge_values.test_many_edges, order="unsorted"),
    },
    "magnitudes": {
        "scaling": test_algebra.test_scaling,
        "weight_scaling": test_algebra.test_weight_scaling,
        "own_loops": test_magnitudes.test_own_loops,
        "small_degrees": test_magnitudes.test_small_degrees,
        "large_weights": test_magnitudes.test_large_weights,
        "subnormal": test_magnitudes.test_subnormal,
        "equal_weights": test_edge_values.test_equal_weights,
    },
}


@check(
    tier="standard",
    catches=("F01", "F08", "F21", "F46"),
    fix="The layer of bind_weighted is wrong where that of bind is asked the same: see the check of that name.",
)
@pytest.mark.parametrize("asked", ASKED)
def test_layer(
    weighted_backend: WeightedBackend, asked: str, device: torch.device, evidence: Evidence, run_tier: Tier
) -> None:
    """A layer with edge weights, given those of the graph, passes what layers without are asked."""
    backend = GivenWeights(weighted_backend)
    checks = list(ASKED[asked].items())[: 1 if slow(backend, run_tier) else None]
    refused: dict[str, NotApplicable] = {}
    failed: dict[str, CheckFailed] = {}
    for name, one in checks:
        said = Evidence()
        options = {"run_tier": run_tier} if "run_tier" in inspect.signature(one).parameters else {}
        try:
            one(backend, device=device, evidence=said, **options)
        except NotApplicable as error:
            refused[name] = error
        except CheckFailed as error:
            failed[name] = error
        except Exception as error:
            raise RuntimeError(f"{name}: {type(error).__name__}: {error}") from error
        evidence.margins.extend(said.margins)
    evidence.fact("asked", [name for name, _ in checks if name not in refused])
    if failed:
        evidence.fact("failed", list(failed))
        name, first = next(iter(failed.items()))
        finding = first.finding
        raise CheckFailed(
            replace(
                finding,
                summary=f"bind_weighted: {', '.join(failed)}: {finding.summary}",
                fix=finding.fix or _fix_of(dict(checks)[name]),
            )
        ) from first
    if len(refused) == len(checks):
        raise next(iter(refused.values()))


def _fix_of(one: Callable[..., None]) -> str:
    """What the check itself says that is to be done."""
    function = one.func if isinstance(one, partial) else one
    marks = getattr(function, "pytestmark", ())
    return next((str(mark.kwargs["fix"]) for mark in marks if mark.name == CHECK_MARKER), "")

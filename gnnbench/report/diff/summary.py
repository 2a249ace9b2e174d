"""The difference as data, for programs: whole, in the order in which people are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gnnbench.history import TURNS, Change, Difference, Weight, address
from gnnbench.record import Margin, Run
from gnnbench.record.codec import encode
from gnnbench.report.diff import words
from gnnbench.report.headline import machine

SCHEMA = "gnnbench.diff/1"


def diff_summary(difference: Difference, names: tuple[str, str]) -> dict[str, Any]:
    """Plain JSON values; `names` are what the documents are called, such as their paths."""
    answer, rest = words.headline(difference)
    summary = {
        "schema": SCHEMA,
        "a": _side(difference.a, names[0]),
        "b": _side(difference.b, names[1]),
        "differ": difference.differ,
        "headline": f"{answer.upper()}: {rest}",
        "counts": {_name(weight): len(difference.with_weight(weight)) for weight in Weight},
        "changes": [_change(change) for change in difference.changes],
        "checks": [
            {
                "id": change.result.id,
                "turn": change.turn,
                "weight": _name(TURNS[change.turn]),
                "a": None if change.before is None else change.before.outcome,
                "b": None if change.after is None else change.after.outcome,
                "finding": None if change.after is None else change.after.finding,
            }
            for change in difference.checks
        ],
        "margins": [
            {"id": one.result.id, "name": one.after.name, "a": _ratio(one.before), "b": _ratio(one.after)}
            for one in difference.margins
        ],
        "measurements": [
            {
                "id": one.result.id,
                "name": one.after.name,
                "unit": one.after.unit,
                "a": one.before.median,
                "b": one.after.median,
                "better": one.better,
            }
            for one in difference.counts
        ],
        "asked": [_pair(change) for change in difference.asked],
        "not_compared": {"a": difference.only_a, "b": difference.only_b},
        "same": difference.same,
    }
    encoded: dict[str, Any] = encode(summary)
    return encoded


def _side(run: Run, name: str) -> dict[str, Any]:
    return {"document": name, "id": run.id, "state": run.state, "machine": _plain(machine(run))}


def _change(change: Change) -> dict[str, Any]:
    return {
        **_pair(change),
        "title": change.title,
        "unit": change.unit,
        "kind": change.kind,
        "step": change.step.words if change.step is not None else "",
        "added": list(change.added),
        "removed": list(change.removed),
        "places": change.places,
        "note": change.note,
        "weight": _name(change.weight),
        "comparable": change.comparable,
        "consequences": [
            {
                "weight": _name(named.weight),
                "whose": named.whose,
                "text": named.consequence.text,
                "sources": [address(source) for source in named.consequence.sources],
            }
            for named in change.consequences
        ],
    }


def _pair(change: Change) -> dict[str, Any]:
    return {"key": change.key, "a": change.before, "b": change.after}


def _ratio(margin: Margin) -> float:
    return margin.ratio


def _name(weight: Weight) -> str:
    return weight.name.lower()


def _plain(texts: Sequence[str]) -> list[str]:
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in texts]

"""Few combinations in which all pairs of conditions occur together, or all triples: a covering array.

What fails only where two conditions meet is seen by no check that varies one at a time, and all combinations of
ten conditions are too many. Most faults need one condition or two, and few more than three (Kuhn, Wallace & Gallo,
IEEE Trans. Softw. Eng. 30, 2004), so few rows see most: 72 hold all pairs of a million combinations.

One row is made after the other, each so that it covers much of what is left (Cohen, Dalal, Fredman & Patton, IEEE
Trans. Softw. Eng. 23, 1997), without chance: the same factors give the same rows on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product

#: One condition: a factor, and one of its levels.
Condition = tuple[str, str]

#: Whether two conditions can't occur together; asked with the earlier factor first.
Excludes = Callable[[Condition, Condition], bool]


def covering_array(
    factors: Mapping[str, Sequence[str]],
    strength: int = 2,
    *,
    together: Iterable[Sequence[str]] = (),
    excludes: Excludes | None = None,
) -> tuple[dict[str, str], ...]:
    """Rows with one level of each factor, in which every `strength` conditions that can occur together do.

    Args:
        factors: the levels of each, two factors at least.
        strength: 2 for all pairs, 3 for all triples.
        together: groups of factors of which every combination occurs, whatever `strength` is.
        excludes: which pairs of conditions can't be, none where left out. Any conditions without such a pair must fit in one row.

    Raises:
        ValueError: for a strength that the factors do not have, an unknown factor, or conditions that no row can
            hold because each level of another factor is excluded by one of them.
    """
    if not 1 <= strength <= len(factors):
        raise ValueError(f"strength: expected 1 to {len(factors)}, the number of factors, found {strength}")
    groups = [*combinations(factors, strength), *(tuple(group) for group in together)]
    for name in {name for group in groups for name in group} - factors.keys():
        raise ValueError(f"together: expected some of {', '.join(factors)}, found {name!r}")
    order = {name: place for place, name in enumerate(factors)}
    groups = list(dict.fromkeys(tuple(sorted(group, key=order.__getitem__)) for group in groups))

    def excluded(pair: Iterable[Condition]) -> bool:
        one, other = sorted(pair, key=lambda condition: order[condition[0]])
        return excludes is not None and excludes(one, other)

    # A dict for a set that keeps its order.
    left: dict[tuple[Condition, ...], None] = {}
    for group in groups:
        for levels in product(*(factors[name] for name in group)):
            conditions = tuple(zip(group, levels, strict=True))
            if not any(map(excluded, combinations(conditions, 2))):
                left[conditions] = None
    beside = {name: [group for group in groups if name in group] for name in factors}
    used: Counter[Condition] = Counter()
    rows = []
    while left:
        row = dict(next(iter(left)))
        for name in factors:
            if name in row:
                continue
            open_levels = [
                level
                for level in factors[name]
                if not any(excluded(((name, level), chosen)) for chosen in row.items())
            ]
            if not open_levels:
                raise ValueError(f"excludes: nothing is left for {name!r} beside {row}")
            # What it completes counts most; then what was used least, so that later rows find the rest mixed.
            row[name] = max(
                open_levels,
                key=lambda level: (_completed(row, (name, level), beside[name], left), -used[name, level]),
            )
        for group in groups:
            left.pop(tuple((name, row[name]) for name in group), None)
        used.update(row.items())
        rows.append({name: row[name] for name in factors})
    return tuple(rows)


def _completed(
    row: Mapping[str, str],
    condition: Condition,
    groups: Sequence[tuple[str, ...]],
    left: Mapping[tuple[Condition, ...], None],
) -> int:
    """How many of `left` a row would cover that takes `condition` too."""
    grown = {**row, condition[0]: condition[1]}
    return sum(
        all(name in grown for name in group) and tuple((name, grown[name]) for name in group) in left
        for group in groups
    )

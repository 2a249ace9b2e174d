"""Tests of gnnbench.report.margins: every comparison is there, under what computed it."""

import math

import documents

from gnnbench.record import Margin, Outcome, Result
from gnnbench.report.margins import margins_of


def result(check, *margins, **fields):
    """A passed result with margins as (name, error, bound)."""
    made = tuple(Margin(name=name, error=error, bound=bound) for name, error, bound in margins)
    return Result(id=check, suite="s", tier="smoke", outcome=Outcome.PASSED, margins=made, **fields)


def test_sources_are_backends_or_checks_worst_first():
    """A backend gathers its margins over all checks; without one, the check function does."""
    run = documents.run_of(
        [
            result("s/a/x[csr-1]", ("forward", 0.2, 1.0), facts={"backend": "csr"}),
            result("s/b/y[csr-2]", ("dX", 0.5, 1.0), facts={"backend": "csr"}),
            result("s/c/z[1]", ("loss", 0.9, 1.0)),
        ]
    )

    margins = margins_of(run)

    assert [(strip.name, len(strip.comparisons)) for strip in margins.strips] == [("s/c/z", 1), ("csr", 2)]
    assert margins.strips[1].worst_of("dX").ratio == 0.5
    assert margins.strips[1].worst_of("loss") is None


def test_what_is_not_finite_is_the_worst():
    """NaN and infinity are beyond any bound and come first."""
    run = documents.run_of(
        [
            result("s/a/x", ("forward", 50.0, 1.0)),
            result("s/a/y", ("forward", math.nan, 1.0)),
            result("s/a/z", ("forward", 0.0, 0.0)),
        ]
    )

    margins = margins_of(run)

    assert [c.result.id for c in margins.closest(3)] == ["s/a/y", "s/a/x", "s/a/z"]
    assert (margins.count, margins.over, margins.exact) == (3, 2, 1)


def test_backend_is_read_from_ids_where_no_fact_names_it():
    """What stands before the device in the ids of several check functions computed their numbers."""
    run = documents.run_of(
        [
            result("s/a/x[pyg_sparse-cpu-hub]", ("forward", 0.2, 1.0), device="cpu"),
            result("s/b/y[pyg_sparse-cpu]", ("dX", 0.5, 1.0), device="cpu"),
            result("s/c/z[bf16-cpu]", ("loss", 0.9, 1.0), device="cpu"),
            result("s/d/u[4-cpu]", ("sum", 0.1, 1.0), device="cpu"),
        ]
    )

    assert [strip.name for strip in margins_of(run).strips] == ["s/c/z", "pyg_sparse", "s/d/u"]

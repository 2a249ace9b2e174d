"""Tests of gnnbench.report.measurements: what is compared stands together, named by what differs."""

import documents

from gnnbench.record import Measurement, Outcome, Result
from gnnbench.report.measurements import series_of


def run_with(*measurements):
    """A run of one check that took `measurements`."""
    made = Result(id="s/a/x", suite="s", tier="smoke", outcome=Outcome.PASSED, measurements=measurements)
    return documents.run_of([made])


def measurement(name="rate", direction="higher", samples=(1.0,), device="cpu", **params):
    """A measurement of one workload."""
    return Measurement(
        name=name,
        unit="edge/s",
        direction=direction,
        samples=samples,
        device=device,
        workload="w",
        params=params,
    )


def test_rows_are_named_by_what_differs():
    """What all rows share is said once; the rest names the row, numbers with their names."""
    run = run_with(
        measurement(backend="csr", nodes=1000, features=64),
        measurement(backend="coo", nodes=2000, features=64),
    )

    (series,) = series_of(run)

    assert [row.label for row in series.rows] == ["csr · nodes 1,000", "coo · nodes 2,000"]
    assert series.shared == "features 64, device cpu"


def test_the_best_is_first_in_either_direction():
    """Higher first where higher is better, lower first where lower is."""
    higher = run_with(measurement(samples=(1.0, 3.0), backend="a"), measurement(samples=(9.0,), backend="b"))
    lower = run_with(
        measurement(direction="lower", samples=(9.0,), backend="a"),
        measurement(direction="lower", backend="b"),
    )

    assert [row.label for row in series_of(higher)[0].rows] == ["b", "a"]
    assert [row.label for row in series_of(lower)[0].rows] == ["b", "a"]


def test_different_quantities_do_not_mix():
    """Another name is another series; a lone row is named by its device."""
    series = series_of(run_with(measurement("rate"), measurement("time", device="cuda:0")))

    assert [(one.name, one.rows[0].label) for one in series] == [("rate", "cpu"), ("time", "cuda:0")]


def test_same_quantity_of_two_checks_is_told_apart():
    """Where nothing else differs, the check names the row."""
    results = [
        Result(
            id=f"s/a/{check}",
            suite="s",
            tier="smoke",
            outcome=Outcome.PASSED,
            measurements=(measurement(backend="csr"),),
        )
        for check in ("x", "y[1]")
    ]

    (series,) = series_of(documents.run_of(results))

    assert sorted(row.label for row in series.rows) == ["s/a/x", "s/a/y"]

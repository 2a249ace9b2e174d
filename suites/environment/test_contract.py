"""What a contract says that this image must provide: each of its lines is a check."""

from __future__ import annotations

import pytest

from gnnbench.checks import Evidence, check, inconclusive, unmet
from gnnbench.contract import Clause, Contract, State
from gnnbench.plugin import contract_key
from gnnbench.record import Environment


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check for each clause; conftest.py collects none where there is none."""
    contract = metafunc.config.stash[contract_key]
    if "clause" in metafunc.fixturenames and contract is not None:
        metafunc.parametrize("clause", [pytest.param(one, id=one.id) for one in contract.clauses])


@check(
    catches=("F33",),
    fix="mend the image, or, if it is right, the line of the contract that the finding names",
)
@pytest.mark.usefixtures("fork_server")
def test_holds(clause: Clause, contract: Contract, environment: Environment, evidence: Evidence) -> None:
    """The contract holds."""
    said, ruling = contract.judge(clause, environment)
    evidence.fact("expected", ruling.expected)
    evidence.fact("found", ruling.found)
    place = ruling.place or clause.place
    remedy = f"if the image is right, change line {place.line} of {contract.name}"
    fix = f"{ruling.fix}; {remedy}" if ruling.fix else remedy
    if ruling.state is State.UNKNOWN:
        inconclusive(said, expected=ruling.expected, found=ruling.found, cause=ruling.cause, fix=fix)
    if ruling.state is State.BROKEN:
        unmet(
            said,
            needs=f"contract:{clause.place.key}",
            expected=ruling.expected,
            found=ruling.found,
            cause=ruling.cause,
            fix=fix,
        )

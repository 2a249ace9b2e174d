"""gnnbench.checks.requirement: whose lack breaks what was required."""

import pytest

from gnnbench.checks.requirement import breaks, demanded


@pytest.mark.parametrize(
    ("needs", "requirements", "broken"),
    [
        ("cuda", ["dataset:Cora", "cuda:4"], "cuda:4"),
        ("cuda:2", ["cuda", "cuda:1"], None),
        ("cuda:2", ["cuda", "cuda:4"], "cuda:4"),
        ("package:torch_scatter", ["package:Torch-Scatter"], "package:Torch-Scatter"),
        ("package:torch_scatter", ["package:torch-sparse"], None),
        ("dataset:Cora", ["dataset:cora"], None),
        ("backend:csr", ["cuda"], None),
        ("", ["cuda"], None),
    ],
)
def test_breaks(needs, requirements, broken):
    """GPUs by their number, packages whatever the spelling, data sets and the rest as they are written."""
    assert breaks(needs, requirements) == broken
    assert demanded(needs, requirements) is (broken is not None)

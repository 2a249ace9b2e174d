"""suites/environment/test_data.py: a disk that takes nothing is not a data set that can't be read."""

import resource

import pytest

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed

pytest.importorskip("torch_geometric")

from suites.environment import test_data as suite


def test_a_file_system_that_takes_nothing():
    """The folder and the kernel's word for it, and nothing of releases of torch."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(CheckFailed) as failed:
            suite.test_second_load(Evidence())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert failed.value.finding.summary.startswith("no data set can be written to /")
    assert failed.value.finding.summary.endswith("File too large")

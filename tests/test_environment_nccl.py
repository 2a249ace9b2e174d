"""NCCL and collectives: what its log says of transports, what is judged of them, and ranks that sum on a CPU."""

import os

import pytest

from gnnbench.checks import CheckFailed, Evidence, Inconclusive, NotApplicable
from gnnbench.checks.outcomes import describe
from gnnbench.environment.collective import all_ranks
from gnnbench.environment.nccl import least_nccl, transports
from gnnbench.environment.survey import Survey
from gnnbench.faults.children import spoil_children
from suites.environment.probing import ran_on
from suites.environment.test_child import test_transport as check_transport

#: Lines as NCCL 2.4 to 2.27 write them.
LOG = """\
node:1:2 [0] NCCL INFO NCCL version 2.27.5+cuda12.8
node:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM
node:1:2 [0] NCCL INFO Channel 01/0 : 0[0] -> 1[1] via P2P/CUMEM/read
node:3:4 [1] NCCL INFO Channel 00/0 : 1[1] -> 0[0] via SHM/direct/direct
node:3:4 [1] NCCL INFO Channel 00 : 1[a1000] -> 2[c1000] via direct shared memory
node:5:6 [2] NCCL INFO Channel 00/0 : 10[2] -> 2[2] [receive] via NET/IBext_v8/3/GDRDMA
node:5:6 [2] NCCL INFO Channel 00/0 : 2[2] -> 10[2] [send] via NET/IB/2/GDRDMA/Shared
node:5:6 [2] NCCL INFO Channel 05/1 : 3[1] -> 4[0] [send] via NET/Socket/0
node:5:6 [2] NCCL INFO Using network Socket
"""


def test_transports_of_each_pair():
    """The lower rank first, by number; the most used transport first; an adapter's number is no kind of its own."""
    assert transports(LOG) == {
        "0-1": ["P2P", "SHM"],
        "1-2": ["direct"],
        "2-10": ["NET/IB"],
        "3-4": ["NET/Socket"],
    }
    assert transports("no line of it") == {}


def test_the_first_release_for_a_gpu():
    """Known of one generation alone; nothing is made up for the others."""
    assert [least_nccl(one) for one in ("12.0", "12.1", "9.0", "1.2")] == ["2.26", "2.26", None, None]


def survey(**transport):
    """One in which NCCL was asked so."""
    return Survey({"transport": transport})


@pytest.mark.parametrize(
    ("taken", "kind", "words"),
    [
        (survey(used={"0-1": ["P2P"]}, peers={"0-1": True}, log=""), None, ""),
        # Where GPUs can't read each other's memory, shared memory is the best there is.
        (survey(used={"0-1": ["SHM"]}, peers={"0-1": False}, log=""), None, ""),
        (survey(used={"0-1": ["P2P"], "1-2": ["SHM"]}, peers={"0-1": True, "1-2": True}, log=""), CheckFailed,
         "through host memory between GPUs 1-2"),
        (survey(used={"0-1": ["P2P", "NET/Socket"]}, peers={"0-1": True}, log=""), CheckFailed,
         "over the network between GPUs 0-1"),
        (survey(error="rank 1 of 2: hung"), CheckFailed, "rank 1 of 2: hung"),
        (survey(used={}, peers={}, log=""), Inconclusive, "names no transport"),
        (survey(), NotApplicable, "no two GPUs"),
        (Survey({}, "killed by SIGSEGV"), Inconclusive, "killed by SIGSEGV"),
    ],
)  # fmt: skip
def test_what_is_judged_of_transports(taken, kind, words):
    """A network between GPUs of one machine, and a detour where the direct way is open."""
    if kind is None:
        check_transport(taken, Evidence())
        return
    with pytest.raises(kind) as ended:
        check_transport(taken, Evidence())
    assert words in describe(ended.value.finding)


def test_a_result_that_no_kernel_of_the_gpu_computed():
    """It may lie there all the same; where nothing can be counted, nothing is held against it."""
    with pytest.raises(CheckFailed, match="no kernel ran on cuda:0"):
        ran_on({"device": "cuda:0", "kernels": 0}, "cuda:0", "a product")
    with pytest.raises(CheckFailed, match="fell back to cpu"):
        ran_on({"device": "cpu", "kernels": None}, "cuda:0", "a product")
    for kernels in (None, 1):
        ran_on({"device": "cuda:0", "kernels": kernels}, "cuda:0", "a product")


@pytest.fixture
def spoilt(tmp_path, monkeypatch):
    """Spoils torch in the processes that are started from now on."""
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return lambda source: spoil_children(tmp_path / "start", {"torch.distributed": source})


def test_ranks_sum_and_their_whole_log_is_kept(spoilt, monkeypatch):
    """Far more than the end of what a process prints, and whatever the user has told NCCL."""
    monkeypatch.setenv("NCCL_DEBUG_FILE", "/nowhere/else")
    monkeypatch.setenv("NCCL_DEBUG_SUBSYS", "NET")
    spoilt(
        "import os\n"
        "assert 'NCCL_DEBUG_SUBSYS' not in os.environ\n"
        "open(os.environ['NCCL_DEBUG_FILE'], 'w').write('first\\n' + 'line\\n' * 20_000)\n"
    )
    said = all_ranks(2, "cpu")

    assert said["peers"] == {}
    assert said["log"].count("first") == 2
    assert said["log"].count("line") == 40_000


def test_a_rank_that_sums_wrongly(spoilt):
    """It is named, with NCCL's last warning."""
    spoilt(
        "import os\n"
        "open(os.environ['NCCL_DEBUG_FILE'], 'w').write('x NCCL WARN earlier\\nx NCCL WARN link down\\n')\n"
        "module.all_reduce = lambda vector: None\n"
    )
    with pytest.raises(
        RuntimeError, match="rank 0 of 2: .*1024 of 1024 entries wrong.*; x NCCL WARN link down"
    ):
        all_ranks(2, "cpu")

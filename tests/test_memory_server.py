"""The process that keeps a GPU's context from trial to trial, with trials that only tell who ran them."""

import json
import os
import signal
import sys

import pytest

from gnnbench.memory import TrialEnd, TrialOutcome
from gnnbench.memory import server as module


def life(tell):
    """Answers as the request says."""
    for line in sys.stdin:
        asked = json.loads(line)
        tell({"phase": "graph"})
        if asked["do"] == "die":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest's would print a traceback
            os.kill(os.getpid(), signal.SIGSEGV)
        if asked["do"] == "hang":
            signal.pause()
        end = TrialEnd.ERROR if asked["do"] == "err" else TrialEnd.DEVICE_OUT_OF_MEMORY
        outcome = TrialOutcome(end=end, facts={"pid": os.getpid()})
        module.tell_outcome(tell, outcome, healthy=asked["do"] != "sicken")


@pytest.fixture
def resident(monkeypatch):
    monkeypatch.setattr(module, "_serve_trials", life)
    worker = module.ResidentWorker()
    yield worker
    worker.stop()


def ask(worker, do, timeout=30.0):
    return worker.run(json.dumps({"do": do, "timeout": timeout}), lambda line: None)


def test_a_healthy_process_runs_the_next_trial_too(resident):
    """Starting CUDA is paid once, also across trials that ran out of memory."""
    first, second = ask(resident, "run"), ask(resident, "run")

    assert first.end is TrialEnd.DEVICE_OUT_OF_MEMORY
    assert first.facts["pid"] == second.facts["pid"] != os.getpid()


@pytest.mark.parametrize("do", ["sicken", "err"])
def test_a_process_that_is_not_well_is_replaced(resident, do):
    """One that found itself unhealthy, or met an error, runs no further trial (F51, F52)."""
    before, after = ask(resident, do), ask(resident, "run")

    assert before.facts["pid"] != after.facts["pid"]


@pytest.mark.parametrize(
    ("do", "timeout", "end"), [("die", 30.0, TrialEnd.CRASHED), ("hang", 0.3, TrialEnd.TIMED_OUT)]
)
def test_a_process_that_dies_or_hangs_is_named_and_replaced(resident, do, timeout, end):
    """What became of it is the outcome; the next trial has a new one."""
    outcome = ask(resident, do, timeout)

    assert outcome.end is end
    assert outcome.phase == "graph"
    assert ask(resident, "run").end is TrialEnd.DEVICE_OUT_OF_MEMORY


def test_stopping_leaves_no_process(resident):
    """Once stopped it is gone and reaped."""
    pid = ask(resident, "run").facts["pid"]

    resident.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

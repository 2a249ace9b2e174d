"""How trials end: errors and signals are told apart, and survive being sent."""

import errno
import json
import os
import signal

import pytest
import torch

from gnnbench.memory import TrialEnd, TrialOutcome
from gnnbench.memory.outcome import end_of_error, outcome_of_status
from gnnbench.reference import UnsupportedByBackend


class OutOfMemoryError(RuntimeError):
    """Stands for torch.OutOfMemoryError, which is only raised by a GPU."""


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError(
            "CUDA error: insufficient resources when calling CUSPARSE_STATUS_INSUFFICIENT_RESOURCES"
        ),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_the_device_ran_out(error):
    """Every way in which torch and CUDA's libraries say it is the device's memory."""
    assert end_of_error(error) is TrialEnd.DEVICE_OUT_OF_MEMORY


def test_torchs_own_error_is_known():
    """The class that torch raises is recognised by its own name."""
    error = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)

    assert end_of_error(error("no words")) is TrialEnd.DEVICE_OUT_OF_MEMORY


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("std::bad_alloc"),
        RuntimeError("MKL error: SPARSE_STATUS_ALLOC_FAILED when calling `mkl_sparse_s_create_csr`"),
    ],
)
def test_the_host_ran_out(error):
    """Every way in which Python, torch, C++ and MKL say it is the host's memory."""
    assert end_of_error(error) is TrialEnd.HOST_OUT_OF_MEMORY


def test_the_real_allocator_is_understood():
    """What torch raises when the system refuses is taken for what it is."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)

    assert end_of_error(caught.value) is TrialEnd.HOST_OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (UnsupportedByBackend("no such kernel"), TrialEnd.UNSUPPORTED),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), TrialEnd.ERROR),
        (ValueError("memory"), TrialEnd.ERROR),
        (OSError(errno.ENOENT, "no such file"), TrialEnd.ERROR),
    ],
)
def test_other_errors_are_not_taken_for_it(error, end):
    """An error that merely speaks of memory is an error."""
    assert end_of_error(error) is end
    assert not end.out_of_memory


@pytest.mark.parametrize(
    ("number", "end", "said"),
    [
        (signal.SIGKILL, TrialEnd.HOST_OUT_OF_MEMORY, "out-of-memory killer"),
        (signal.SIGSEGV, TrialEnd.CRASHED, "SIGSEGV"),
        (signal.SIGBUS, TrialEnd.CRASHED, "SIGBUS"),
        (signal.SIGABRT, TrialEnd.CRASHED, "SIGABRT"),
    ],
)
def test_real_signals_are_named(number, end, said):
    """The wait status of a process that a signal ended says which, and what it means."""
    pid = os.fork()
    if pid == 0:
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
        os._exit(0)
    _, status = os.waitpid(pid, 0)

    outcome = outcome_of_status(status, phase="step 1")

    assert outcome.end is end
    assert said in outcome.detail
    assert "step 1" in outcome.describe()


def test_an_exit_without_answer_is_an_error():
    """A process that just ends gave no answer, whatever its code."""
    assert outcome_of_status(7 << 8).detail == "exit code 7 without an answer"
    assert outcome_of_status(0).end is TrialEnd.ERROR


def test_outcomes_survive_being_sent():
    """An outcome is the same after JSON, its recovery included."""
    outcome = TrialOutcome(
        end=TrialEnd.HOST_OUT_OF_MEMORY,
        phase="bind",
        detail="MemoryError",
        live_bytes=(1, 2),
        budget_bytes=5,
        budget_kind="address space",
        left_bytes=0,
        recovery=TrialOutcome(end=TrialEnd.SURVIVED, peak_bytes=7, loss=2.5),
        facts={"a": 1},
    )

    assert TrialOutcome.decode(json.loads(json.dumps(outcome.encode()))) == outcome

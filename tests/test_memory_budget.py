"""Budgets: what may be given, and that what was given holds."""

import os
import resource

import pytest
import torch

from gnnbench.memory import BudgetError, largest_host_budget, require_host_budget
from gnnbench.memory import budget as module
from gnnbench.memory.budget import MIB, address_space, available_host_bytes, heap_trimmer, limit_address_space


def in_a_fork(body):
    """The exit code of `body`, run in a process of its own: limits can't be taken back."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = body()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_of_nothing_is_refused(budget):
    """A budget must be above 0 bytes."""
    with pytest.raises(BudgetError, match=f"above 0 bytes, found {budget}"):
        require_host_budget(budget)


def test_a_budget_larger_than_the_machine_is_refused():
    """More than is free, less the reserve, is refused with what could be had."""
    with pytest.raises(BudgetError, match="stay with the host"):
        require_host_budget(1 << 60)


def test_the_reserve_is_kept(monkeypatch):
    """Of 3 GiB free on a machine of 20, 2 GiB stay: a tenth is more than the least of 1 GiB."""
    monkeypatch.setattr(module, "available_host_bytes", lambda: 3 << 30)
    memory = type("Memory", (), {"total": 20 << 30})
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: memory)

    assert largest_host_budget() == 1 << 30
    assert require_host_budget(1 << 30) == 1 << 30
    with pytest.raises(BudgetError, match="at most 1,024 MiB, found 1,025 MiB"):
        require_host_budget((1 << 30) + MIB)


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("0::/job", {"job/memory.max": "1000000", "job/memory.current": "400000"}),
        ("0::/job/inner", {"job/memory.max": "1000000", "job/memory.current": "400000", "job/inner/x": ""}),
        ("0::/absent/in/here", {"memory.max": "1000000", "memory.current": "400000"}),
        (
            "4:memory:/job",
            {"memory/job/memory.limit_in_bytes": "1000000", "memory/job/memory.usage_in_bytes": "400000"},
        ),
        (
            "9:cpu,memory:/",
            {"memory/memory.limit_in_bytes": "1000000", "memory/memory.usage_in_bytes": "400000"},
        ),
    ],
    ids=["v2", "v2-above", "v2-in-container", "v1", "v1-root"],
)
def test_the_limit_of_a_cgroup_counts(tmp_path, line, files):
    """A container with 600,000 bytes left has no more to give, whatever the machine has."""
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    own = tmp_path / "cgroup"
    own.write_text(line + "\n")

    assert available_host_bytes(tmp_path / "fs", own) == 600_000


def test_page_cache_that_would_be_dropped_counts_as_free(tmp_path):
    """Inactive file pages are part of a cgroup's usage and of what can be allocated."""
    (tmp_path / "memory.max").write_text("1000000")
    (tmp_path / "memory.current").write_text("900000")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 300000\nactive_file 5\n")
    (tmp_path / "own").write_text("0::/\n")

    assert available_host_bytes(tmp_path, tmp_path / "own") == 400_000


@pytest.mark.parametrize("text", ["max", "9223372036854771712", ""])
def test_no_limit_is_no_limit(tmp_path, text):
    """`max`, cgroup v1's largest number and an unreadable file leave what the machine has."""
    (tmp_path / "memory.max").write_text(text)
    (tmp_path / "memory.current").write_text("1")
    (tmp_path / "own").write_text("0::/\n")

    assert available_host_bytes(tmp_path, tmp_path / "own") > 100 * MIB


def test_address_space_grows_by_what_is_mapped():
    """A tensor of 64 MiB makes the address space that much larger, and the peak remembers it."""

    def body():
        trim = heap_trimmer()
        trim()
        before, _ = address_space()
        held = torch.empty(64 * MIB, dtype=torch.uint8)
        during, _ = address_space()
        del held
        after, peak = address_space()
        grown = during - before
        return int(not (64 * MIB <= grown <= 66 * MIB and peak >= during and after < during - 60 * MIB))

    assert in_a_fork(body) == 0


def test_the_limit_holds_and_ends():
    """Within a limit of 64 MiB, 32 MiB can be had and 128 MiB can't; without it they can."""

    def body():
        limit_address_space(64 * MIB)
        torch.empty(32 * MIB, dtype=torch.uint8)
        try:
            torch.empty(128 * MIB, dtype=torch.uint8)
        except RuntimeError:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            return int(torch.empty(128 * MIB, dtype=torch.uint8).numel() != 128 * MIB)
        return 1

    assert in_a_fork(body) == 0


def test_a_limit_that_is_lower_already_is_named():
    """Where `ulimit -v` leaves less than the budget, that is said."""

    def body():
        now, _ = address_space()
        resource.setrlimit(resource.RLIMIT_AS, (now + 16 * MIB, now + 16 * MIB))
        try:
            limit_address_space(64 * MIB)
        except BudgetError as error:
            return int("ulimit -v" not in str(error))
        return 1

    assert in_a_fork(body) == 0

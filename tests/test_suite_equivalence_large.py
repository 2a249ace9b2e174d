"""suites/equivalence, large indices: with limits of 15 bits, each overflow turns the check red that is meant for it."""

import os

import pytest
import torch
from suite_runs import run_suite

from gnnbench.checks import CheckFailed, Evidence, NotApplicable
from gnnbench.faults.offsets import LIMIT, Scattering, cut, refuses, wrapped
from gnnbench.record import ExitCode, Outcome
from gnnbench.reference import UnsupportedByBackend, backend
from suites.equivalence import room, test_large_index

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    """A kernel with 16-bit indices is to 2^15 what one with 32 is to 2^31."""
    monkeypatch.setattr(test_large_index, "LIMIT", LIMIT)
    monkeypatch.setattr(test_large_index, "GRID_ROWS", 1000)
    yield
    test_large_index.many_rows.cache_clear()


def rows_beyond(first):
    """Rows from `first` on are left as they were."""
    return lambda out: out * (torch.arange(out.shape[0]) < first)[:, None]


def outcome(check, *arguments):
    """(what ended the check, None where it passed; its evidence)."""
    evidence = Evidence()
    try:
        check(*arguments, CPU, evidence)
    except (CheckFailed, NotApplicable, RuntimeError) as ended:
        return ended, evidence
    return None, evidence


CHECKS = {
    "rows": test_large_index.test_rows,
    "messages": test_large_index.test_messages,
    "entries": test_large_index.test_entries,
}


@pytest.mark.parametrize("name", ["coo", "csr", "csc", "index_add", "pyg", "dense", "pyg_sparse"])
@pytest.mark.parametrize("check", CHECKS)
def test_clean_backends_are_green(check, name):
    """With margins that show that something was compared, and what was needed."""
    ended, evidence = outcome(CHECKS[check], backend(name))
    if isinstance(ended, NotApplicable):
        assert name == "pyg_sparse"  # merges duplicate edges without weights
        assert "duplicate" in ended.finding.summary
        return
    assert ended is None
    assert evidence.margins
    assert all(margin.passed for margin in evidence.margins)
    assert evidence.facts["needs_bytes"] > 0
    if check != "rows":
        assert evidence.facts["limit"] == LIMIT
        assert max(margin.ratio for margin in evidence.margins) > 0


@pytest.mark.parametrize("check", CHECKS)
def test_the_clean_twin_of_the_mutants_is_green(check):
    assert outcome(CHECKS[check], Scattering())[0] is None


@pytest.mark.parametrize(
    ("check", "mutant", "quantity"),
    [
        ("messages", Scattering(messages=wrapped), "forward"),
        ("messages", Scattering(messages=cut), "forward"),
        ("messages", Scattering(gradients=wrapped), "dX"),
        ("messages", Scattering(gradients=cut), "dX"),
        ("entries", Scattering(result=wrapped), "forward"),
        ("entries", Scattering(result=cut), "forward"),
        ("rows", Scattering(result=rows_beyond(1000)), "forward"),
        ("rows", Scattering(result=rows_beyond(1032)), "forward"),
    ],
)
def test_each_overflow_is_caught(check, mutant, quantity):
    """Offsets that wrap, writes that never come, rows past the grid: where it is and in which quantity."""
    ended, evidence = outcome(CHECKS[check], mutant)
    assert isinstance(ended, CheckFailed)
    assert f"{quantity}: " in ended.finding.summary or f"{quantity} wrong as well" in ended.finding.summary
    assert {margin.name for margin in evidence.margins if not margin.passed} >= {quantity}


@pytest.mark.parametrize("check", ["messages", "entries"])
def test_a_crash_at_the_limit_is_a_crash(check):
    """Never taken for a size that is not supported."""
    mutant = Scattering(messages=refuses, result=refuses)
    ended, _ = outcome(CHECKS[check], mutant)
    assert "INTERNAL_ERROR" in str(ended)
    assert not isinstance(ended, NotApplicable)


MATMUL, NNZ = torch.matmul, torch.Tensor._nnz


def drops_entries(matrix, h):
    """Multiplies the entries that an int16 counts."""
    if matrix.layout == torch.strided:
        return MATMUL(matrix, h)
    crow = (matrix if matrix.layout == torch.sparse_csr else matrix.to_sparse_csr()).crow_indices()
    out = MATMUL(matrix, h)
    out[int((crow <= LIMIT).sum()) :] = 0
    return out


def internal_error(matrix, h):
    if matrix.layout != torch.strided and NNZ(matrix) > LIMIT:
        raise RuntimeError("CUDA error: CUSPARSE_STATUS_INTERNAL_ERROR when calling cusparseSpMM")
    return MATMUL(matrix, h)


def bound_refused(matrix, h):
    raise RuntimeError("cusparseXcoo2csr only supports m, nnz with the bound [val] <= 2147483647")


@pytest.mark.parametrize("layout", ["csr", "coo"])
@pytest.mark.parametrize(
    ("where", "fault", "says", "kind"),
    [
        (None, None, None, type(None)),
        ("matmul", drops_entries, "the product is wrong", CheckFailed),
        ("matmul", internal_error, "INTERNAL_ERROR", RuntimeError),
        ("matmul", bound_refused, "torch refuses a", NotApplicable),
        ("_nnz", lambda matrix: NNZ(matrix) - (1 << 16), "the number of entries is wrong", CheckFailed),
    ],
)
def test_sparse_matrices_past_the_limit(monkeypatch, layout, where, fault, says, kind):
    """Counted right and multiplied right; a refusal in so many words is no failure, anything else is."""
    if where:
        monkeypatch.setattr(torch if where == "matmul" else torch.Tensor, where, fault)
    ended, evidence = outcome(test_large_index.test_nonzeros, layout)
    assert type(ended) is kind
    assert evidence.facts["nonzeros"] > LIMIT
    if ended is not None:
        assert says in str(ended)
    else:
        assert [margin.name for margin in evidence.margins] == ["product"]


def test_where_memory_is_short_the_check_says_what_it_needs(monkeypatch):
    """On the host, and on a GPU, before and after."""
    monkeypatch.setattr(room, "available_host_bytes", lambda: 1000)
    ended, evidence = outcome(test_large_index.test_messages, backend("csr"))
    assert "0.0 GiB are free on cpu" in ended.finding.summary
    assert ended.finding.needs == "memory:1GiB"
    assert evidence.facts["free_bytes"] == 1000

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (20 << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 6 << 30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2 << 30)
    gpu = torch.device("cuda", 0)
    with (
        pytest.raises(
            NotApplicable, match=r"a matrix needs 24\.5 GiB, 24\.0 GiB are free on cuda:0"
        ) as ended,
        room.room(gpu, 49 << 29, "a matrix", Evidence()),
    ):
        raise AssertionError
    assert ended.value.finding.needs == "memory:25GiB"
    with room.room(gpu, 24 << 30, "a matrix", Evidence()):
        pass
    with (
        pytest.raises(NotApplicable, match="needs more than the 1.0 GiB it was taken to need: CUDA out of"),
        room.room(gpu, 1 << 30, "a matrix", Evidence()),
    ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB.\nMore")


def test_at_their_real_size(monkeypatch):
    """2^31 is for GPUs with the memory that the check names."""
    monkeypatch.setattr(test_large_index, "LIMIT", 1 << 31)
    for check, argument, gib in (
        (test_large_index.test_messages, backend("csr"), 40),
        (test_large_index.test_entries, backend("csr"), 56),
        (test_large_index.test_nonzeros, "csr", 36),
        (test_large_index.test_nonzeros, "coo", 63),
    ):
        ended, evidence = outcome(check, argument)
        assert ended.finding.needs == "cuda"
        assert evidence.facts["needs_bytes"] / room.GIB == pytest.approx(gib, abs=1)


def test_as_users_run_it(tmp_path):
    """Rows past the grid are judged on a CPU too; the rest is listed, and nothing of it is in smaller tiers."""
    code, run = run_suite(
        tmp_path,
        "equivalence",
        *(
            "-k",
            "test_large_index and (csr or coo) and not compiled and not cudagraph",
            "--gnnbench-tier=full",
        ),
        environment={"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )
    assert code == ExitCode.GOOD
    by_check = {}
    for result in run.results:
        by_check.setdefault(result.id.partition("[")[0], set()).add(result.outcome)
        assert result.tier == ("standard" if "/rows[" in result.id else "full")
    assert by_check == {
        "equivalence/large_index/rows": {Outcome.PASSED},
        "equivalence/large_index/messages": {Outcome.NOT_APPLICABLE},
        "equivalence/large_index/entries": {Outcome.NOT_APPLICABLE},
        "equivalence/large_index/nonzeros": {Outcome.NOT_APPLICABLE},
    }
    assert all(result.finding.needs == "cuda" for result in run.with_outcome(Outcome.NOT_APPLICABLE))


def test_unsupported_is_not_applicable():
    """As everywhere."""

    class Unable:
        name = "unable"

        def bind(self, graph, **options):
            raise UnsupportedByBackend("no kernel for so many")

    for check in CHECKS.values():
        assert isinstance(outcome(check, Unable())[0], NotApplicable)

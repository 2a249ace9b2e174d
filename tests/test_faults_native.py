"""gnnbench.faults.native: libraries that are compiled to be planted."""

import ctypes

import pytest

from gnnbench.faults.native import NoCompilerError, compiler, shared_library


@pytest.fixture(autouse=True)
def _needs_a_compiler():
    try:
        compiler()
    except NoCompilerError as error:
        pytest.skip(str(error))


def test_it_compiles_and_loads(tmp_path):
    """What was compiled can be called, in a folder that was not there, and leaves nothing beside itself."""
    made = shared_library(
        "int answer(void) { return 42; }", tmp_path / "new" / "libanswer.so.1", soname="libanswer.so.1"
    )

    assert ctypes.CDLL(str(made)).answer() == 42
    assert [path.name for path in made.parent.iterdir()] == ["libanswer.so.1"]


def test_what_is_mapped_is_replaced(tmp_path):
    """A second one under the same name leaves the process that uses the first alone."""
    first = ctypes.CDLL(str(shared_library("int answer(void) { return 1; }", tmp_path / "lib.so")))
    inode = (tmp_path / "lib.so").stat().st_ino
    shared_library("int answer(void) { return 2; }", tmp_path / "lib.so")

    assert (tmp_path / "lib.so").stat().st_ino != inode
    assert first.answer() == 1


def test_a_complaint_is_one_line(tmp_path):
    """Bad C is told with the compiler's first error."""
    with pytest.raises(RuntimeError, match=r"^lib.so: expected C that compiles, found .*error: .*$"):
        shared_library("int answer(void) { return }", tmp_path / "lib.so")

    assert list(tmp_path.iterdir()) == []


def test_no_compiler(tmp_path, monkeypatch):
    """Without a compiler the error says what to install; with a wrong CC it names it."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        NoCompilerError, match="found neither cc nor gcc nor clang on PATH: apt-get install gcc"
    ):
        shared_library("", tmp_path / "lib.so")
    monkeypatch.setenv("CC", "no-such-cc")
    with pytest.raises(NoCompilerError, match="CC='no-such-cc'"):
        compiler()

"""gnnbench.cli.child and what is read from pytest's log: a child that hangs or crashes before its first check."""

import sys
import time

import pytest

from gnnbench.cli.child import PytestChild
from gnnbench.cli.pytest_log import last_words

HANGS = "import faulthandler, time\nfaulthandler.enable()\ndef torch():\n    time.sleep(600)\ntorch()\n"
SPEAKS = (
    "import json, os, time\n"
    "os.write(int(os.environ['_GNNBENCH_EVENTS_FD']), b'{\"event\": \"environment\"}\\n')\n"
    "time.sleep(3)\n"
)


def watched(tmp_path, program):
    """(the child, its exit status, the events, seconds) where a second of silence at the start is too much."""
    (tmp_path / "program.py").write_text(program)
    heard = []
    started = time.monotonic()
    with PytestChild([sys.executable, str(tmp_path / "program.py")], tmp_path / "log", begin_s=1.0) as child:
        child.watch(heard.append)
        status = child.wait()
    return (
        child,
        status,
        [one["event"] for one in heard if one["event"] != "tick"],
        time.monotonic() - started,
    )


def test_a_child_that_never_begins_is_ended_and_says_where_it_stood(tmp_path):
    """As where importing torch never returns."""
    child, status, heard, seconds = watched(tmp_path, HANGS)

    assert (status, heard, child.silent_s) == (-6, [], 1.0)
    assert seconds < 25
    assert last_words(tmp_path / "log") == f"Aborted at {tmp_path / 'program.py'}:4"


def test_a_child_that_has_begun_may_be_silent(tmp_path):
    """A check may take its time."""
    child, status, heard, seconds = watched(tmp_path, SPEAKS)

    assert (status, heard, child.silent_s) == (0, ["environment"], 0.0)
    assert seconds > 3


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n"
            '  File "<frozen importlib._bootstrap>", line 241 in f\n  File "/site/torch/__init__.py", line 9 in g\n'
            '  File "<string>", line 1 in <module>\n\nExtension modules: numpy (total: 1)\n',
            "Segmentation fault at /site/torch/__init__.py:9",
        ),
        ("Fatal Python error: init_fs_encoding: failed\n", "Fatal Python error: init_fs_encoding: failed"),
        ("some\nlast line\n", "last line"),
        ("", ""),
    ],
)
def test_last_words(tmp_path, log, words):
    """Of a crash the innermost place counts, not the last line of its trace."""
    (tmp_path / "log").write_text(log)

    assert last_words(tmp_path / "log") == words

"""Tests of gnnbench.report.text: what comes from logs and paths is fit for a page."""

import pytest

from gnnbench.report.text import clean, clip, clip_log, one_line


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x07c\x7fd\x9be\ufffe", "abcde"),
        ("10%\r20%\r\ndone", "10%\n20%\ndone"),
        ("byte \udcff", "byte \\xff"),
        ("half of a pair \ud83d", "half of a pair \\ud83d"),
        ("a\u202eb", "a\\u202eb"),
        ("tab\tand\nline \U0001f600 é", "tab\tand\nline \U0001f600 é"),
    ],
)
def test_clean_keeps_what_a_page_can_hold(raw, expected):
    """Terminal sequences and control characters go, broken bytes are shown, everything else stays."""
    assert clean(raw) == expected
    assert clean(raw).encode("utf-8")


def test_one_line_has_no_line_break():
    """White space of any kind becomes one space."""
    assert one_line(" a\n\n b\t\x1b[0mc ") == "a b c"


def test_clip_says_how_much_is_left_out():
    """A text within the limit stays, a longer one ends in a note with the count."""
    assert clip("x" * 10, 10) == "x" * 10
    assert clip("x" * 1034, 10) == "x" * 10 + " … (1,024 more characters in run.json)"


def test_clip_log_keeps_the_end():
    """What went wrong stands at the end of a log, so most of what is kept is from there."""
    log = "begin" + "." * 5000 + "the error"

    clipped = clip_log(log, 400)

    assert clipped.startswith("begin")
    assert clipped.endswith("the error")
    assert "4,614 characters left out" in clipped
    assert len(clipped) < 500

"""The files that a comparison leaves."""

from __future__ import annotations

import os
from pathlib import Path

from gnnbench.history import Difference
from gnnbench.record import write_atomically
from gnnbench.report.diff.html import render_diff_html
from gnnbench.report.diff.markdown import render_diff_markdown


def write_diff(difference: Difference, names: tuple[str, str], folder: str | os.PathLike[str]) -> list[Path]:
    """Write `diff.html` and `diff.md` into `folder`, which is made where it is lacking, and return their paths.

    Raises `OSError` where one can't be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    texts = {
        "diff.html": render_diff_html(difference, names),
        "diff.md": render_diff_markdown(difference, names),
    }
    for name, rendered in texts.items():
        write_atomically(target / name, rendered)
    return [target / name for name in texts]

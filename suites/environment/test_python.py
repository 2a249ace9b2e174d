"""The interpreter, and the packages that have to fit each other."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import warnings

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.environment.python import startup

#: Other words may be meant: a profiler's, or those of a wrapper that an image puts around its Python.
_COMPLAINT = re.compile(
    r"\b\w*[Ee]rror\b|Traceback|cannot be preloaded|Could not find platform|Invalid -W option"
)


@check(fix="use an image with a 64-bit Python 3.10 or newer")
def test_version(evidence: Evidence) -> None:
    """Python is 64-bit and new enough for the torch of today."""
    bits = struct.calcsize("P") * 8
    evidence.fact("bits", bits)
    if sys.version_info < (3, 10) or bits != 64:
        fail(
            "this Python is too old or not 64-bit",
            expected="Python 3.10 or newer, 64-bit",
            found=f"Python {sys.version.partition(' ')[0]}, {bits}-bit",
        )


@check(
    fix="mend or remove the file that is named; look at PYTHONPATH, PYTHONHOME, LD_PRELOAD and *.pth in site-packages"
)
def test_startup(evidence: Evidence) -> None:
    """Python starts, does nothing and ends without an error, before any package of the user's is imported."""
    try:
        ended = startup()
    except subprocess.TimeoutExpired as error:
        fail(
            "Python does not end when it has nothing to do",
            expected="`python -c pass` to end at once",
            found=f"no end within {error.timeout:g} s",
            cause="a sitecustomize, a *.pth file or a preloaded library that waits",
        )
    said = ended.stderr.strip()
    evidence.fact("status", ended.returncode)
    evidence.fact("said", said[:2000])
    lines = [line for line in said.splitlines() if _COMPLAINT.search(line)]
    if ended.returncode or lines:
        fail(
            f"Python starts with an error: {lines[0] if lines else f'status {ended.returncode}'}",
            expected="`python -c pass` to end with status 0, and without an error",
            found=f"status {ended.returncode}: {said[-500:]}",
            cause="a sitecustomize, usercustomize or *.pth file that raises, or a library in LD_PRELOAD that is not there",
        )


@check(catches=("F25",), fix="reinstall numpy and torch so that both are built for the same NumPy ABI")
def test_numpy_interop(evidence: Evidence) -> None:
    """Arrays cross between numpy and torch unharmed, and without a warning about their ABI."""
    try:
        import numpy as np
    except ModuleNotFoundError:
        not_applicable(
            "numpy is not installed", needs="package:numpy", fix="pip install numpy, if your code needs it"
        )
    except ImportError as error:
        # It fills a page with advice, of which one line is the loader's.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        words = next(
            (line for line in lines if line.startswith("Original error was")), lines[0] if lines else ""
        )
        fail(
            f"numpy can't be imported: {words}",
            expected="`import numpy` to succeed",
            found=words,
            cause="built for another Python or another C library, or a library that LD_LIBRARY_PATH puts before its own",
            fix="unset LD_LIBRARY_PATH, or install numpy again",
        )
    import torch

    evidence.fact("numpy", np.__version__)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        there = torch.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3))
        back = (there * 2).numpy()
    said = [str(warning.message) for warning in caught]
    if back.tolist() != [[0, 2, 4], [6, 8, 10]] or said:
        fail(
            "numpy and torch do not fit each other",
            expected="the doubled array, and no warning",
            found=f"{back.tolist()} {said}",
            cause="numpy was upgraded or downgraded across 2.0 after torch was built",
        )

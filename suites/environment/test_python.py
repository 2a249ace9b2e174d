"""The interpreter, and the packages that have to fit each other."""

from __future__ import annotations

import struct
import sys
import warnings

from gnnbench.checks import Evidence, check, fail, not_applicable


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


@check(catches=("F25",), fix="reinstall numpy and torch so that both are built for the same NumPy ABI")
def test_numpy_interop(evidence: Evidence) -> None:
    """Arrays cross between numpy and torch unharmed, and without a warning about their ABI."""
    try:
        import numpy as np
    except ModuleNotFoundError:
        not_applicable(
            "numpy is not installed", needs="package:numpy", fix="pip install numpy, if your code needs it"
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

"""One small file a fault. A new file is found by itself.

A file imports torch, and what needs torch, inside its plant alone: `gnnbench prove --list` needs none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from gnnbench.faults.fault import Fault


def catalogue(folders: Sequence[Path] = ()) -> dict[str, Fault]:
    """Every fault by its id, in the order of the ids: our own, and those of the files `f*.py` in `folders`.

    Raises:
        ValueError: where a file has no fault, or an id is claimed twice.
    """
    found: dict[str, Fault] = {}
    for folder in (Path(__file__).parent, *folders):
        files = sorted(folder.glob("f*.py"))
        if not files:
            raise ValueError(f"{folder}: expected files called f*.py, one a fault, found none")
        for file in files:
            fault = _load(file)
            if fault.id in found:
                raise ValueError(f"{file}: expected an id of its own, found {fault.id} a second time")
            found[fault.id] = fault
    return dict(sorted(found.items()))


def _load(file: Path) -> Fault:
    name = f"{__name__}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file}: expected a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"{file}: expected a Fault called FAULT, found {type(error).__name__}: {error}"
        ) from error
    fault = getattr(module, "FAULT", None)
    if not isinstance(fault, Fault):
        raise ValueError(f"{file}: expected a Fault called FAULT, found {fault!r}")  # noqa: TRY004 - as the rest
    return fault

"""Wheels, audited before they are installed."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unpacked(wheel: Path) -> Iterator[Path]:
    """A folder with the compiled files of `wheel`, for `inventory([folder, *import_folders()])`; gone afterwards.

    Raises:
        ValueError: where `wheel` is no wheel.
    """
    with tempfile.TemporaryDirectory(prefix="gnnbench-wheel-") as folder:
        place = Path(folder)
        try:
            _extract(wheel, place)
        except (OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"{wheel}: expected a wheel, found {error}") from None
        yield place


def _extract(wheel: Path, place: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if re.search(r"\.so(\.\d+)*$", name):
                archive.extract(name, place)  # which keeps every name within the folder
    # What an installation would lay on sys.path lies deeper.
    for laid in place.glob("*.data/*lib"):
        for one in laid.iterdir():
            one.rename(place / one.name)
    (place / f"{wheel.stem}.dist-info").mkdir(exist_ok=True)

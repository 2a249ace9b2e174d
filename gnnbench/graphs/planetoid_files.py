"""The raw files of the Planetoid data sets: which they are, and whether they are whole."""

from __future__ import annotations

import hashlib
import pickle
import shlex
import warnings
from pathlib import Path

PLANETOID_NAMES: tuple[str, ...] = ("Cora", "CiteSeer", "PubMed")

_PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")

#: SHA-256 of the files in github.com/kimiyoung/planetoid (MIT License).
_SHA256: dict[str, dict[str, str]] = {
    "Cora": {
        "x": "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
        "tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
        "allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
        "y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
        "ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
        "ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
        "graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
        "test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    },
    "CiteSeer": {
        "x": "d20de19150741e555de0ed037195630fc194114ebc7fd72ced62810148aa22f6",
        "tx": "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21",
        "allx": "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668",
        "y": "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924",
        "ty": "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce",
        "ally": "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95",
        "graph": "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7",
        "test.index": "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4",
    },
}


class DatasetAbsent(Exception):
    """A data set, or the package that reads it, is not there.

    `needs` is what a check names in `not_applicable(..., needs=...)`, `fix` the command that provides it.
    """

    def __init__(self, summary: str, *, needs: str, fix: str) -> None:
        super().__init__(f"{summary}. To provide it: {fix}")
        self.summary = summary
        self.needs = needs
        self.fix = fix


class DatasetCorrupt(Exception):
    """A file of a data set is there and is not what it should be. `path` is the file."""

    def __init__(self, path: Path, *, expected: str, found: str) -> None:
        super().__init__(f"{path}: expected {expected}, found {found}. Delete the file and fetch it again.")
        self.path = path
        self.expected = expected
        self.found = found


def require_planetoid_name(name: str) -> None:
    """Raise `ValueError` naming the three there are."""
    if name not in PLANETOID_NAMES:
        raise ValueError(f"expected a Planetoid data set ({', '.join(PLANETOID_NAMES)}), found {name!r}")


def planetoid_raw_folder(name: str, root: Path) -> Path:
    """`<root>/<name>/raw`."""
    return root / name / "raw"


def raw_file_names(name: str) -> tuple[str, ...]:
    """`ind.cora.x` and its seven siblings."""
    return tuple(f"ind.{name.lower()}.{part}" for part in _PARTS)


def fetch_command(name: str, root: Path | None) -> str:
    """The command that downloads a data set into `root`."""
    folder = str(root) if root is not None else "data"
    code = f"from torch_geometric.datasets import Planetoid; Planetoid({folder!r}, {name!r})"
    return f"python -c {shlex.quote(code)}"


def verify_raw_files(name: str, root: Path | None) -> Path:
    """Make sure that all raw files of a data set are there and whole, and return their folder.

    Cora and CiteSeer are compared with the published files by SHA-256. For PubMed, which has no digest here,
    every pickle is read to its end; as everywhere, read pickles from sources you trust only.

    Raises:
        DatasetAbsent: where a file is missing, with the command that fetches it.
        DatasetCorrupt: naming the first file that is not whole.
    """
    if root is None:
        raise DatasetAbsent(
            f"{name}: no data folder was given (--data, GNNBENCH_DATA)",
            needs=f"dataset:{name}",
            fix=fetch_command(name, None),
        )
    folder = planetoid_raw_folder(name, root)
    paths = [folder / file for file in raw_file_names(name)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DatasetAbsent(
            f"{name}: {missing[0]} is not there ({len(missing)} of {len(paths)} raw files are missing)",
            needs=f"dataset:{name}",
            fix=fetch_command(name, root),
        )
    for part, path in zip(_PARTS, paths, strict=True):
        _verify(path, _SHA256.get(name, {}).get(part))
    return folder


def _verify(path: Path, digest: str | None) -> None:
    content = path.read_bytes()
    if not content:
        raise DatasetCorrupt(path, expected="a data file", found="an empty one")
    if digest is not None:
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise DatasetCorrupt(
                path, expected=f"SHA-256 {digest}", found=f"{found} ({len(content):,} bytes)"
            )
    elif path.name.endswith(".index"):
        if not all(line.strip().isdigit() for line in content.splitlines()):
            raise DatasetCorrupt(path, expected="one node number a line", found="something else")
    else:
        try:
            with warnings.catch_warnings():
                # The pickles name scipy.sparse.csr, which newer releases of SciPy deprecate.
                warnings.simplefilter("ignore", DeprecationWarning)
                pickle.loads(content, encoding="latin1")  # noqa: S301 - PyG reads the very same pickle next
        except ModuleNotFoundError:
            # Without SciPy or NumPy nothing can be said of the file; reading it will name the package.
            return
        except Exception as error:
            raise DatasetCorrupt(
                path, expected="a whole pickle", found=f"{type(error).__name__}: {error}"
            ) from error

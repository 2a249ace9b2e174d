"""Cora, CiteSeer and PubMed through PyTorch Geometric's `Planetoid`."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from gnnbench.graphs.graph import Graph
from gnnbench.graphs.node_classification import NodeClassification, row_normalised_csr
from gnnbench.graphs.planetoid_files import (
    DatasetAbsent,
    raw_file_names,
    require_planetoid_name,
    verify_raw_files,
)


def planetoid(name: str, root: Path | str | None, *, download: bool = False) -> NodeClassification:
    """A citation network with its public split, its features row-normalised (Kipf & Welling 2017).

    Args:
        name: `"Cora"`, `"CiteSeer"` or `"PubMed"`.
        root: a folder that holds `<name>/raw/ind.*`; it may be read-only, and nothing is written to it.
        download: fetch the files into `root` first where they are not there. Nothing else touches the
        network.

    Raises:
        ValueError: for another name.
        DatasetAbsent: where files are missing, or PyTorch Geometric is; with the command that provides them.
        DatasetCorrupt: where a file is truncated or altered, naming it.
    """
    require_planetoid_name(name)
    root = Path(root) if root is not None else None
    try:
        raw = verify_raw_files(name, root)
    except DatasetAbsent:
        if not download or root is None:
            raise
        _read(name, root)
        raw = verify_raw_files(name, root)
    # PyG writes a folder processed/ beside raw/, and would read back what another release of it left there.
    # A fresh copy is never stale and never in anybody's way.
    with tempfile.TemporaryDirectory(prefix="gnnbench-") as folder:
        copy = Path(folder) / name / "raw"
        copy.mkdir(parents=True)
        for file in raw_file_names(name):
            _link_or_copy(raw / file, copy / file)
        data = _read(name, Path(folder))
    return NodeClassification(
        name=name,
        graph=Graph(data.edge_index, int(data.num_nodes)),
        features=row_normalised_csr(data.x),
        labels=data.y,
        train_mask=data.train_mask,
        val_mask=data.val_mask,
        test_mask=data.test_mask,
        num_classes=int(data.y.max()) + 1,
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source.resolve())
    except OSError:
        # File systems without symbolic links.
        shutil.copyfile(source, target)


def _read(name: str, root: Path) -> Any:
    """What PyG makes of the raw files; raises `DatasetAbsent` without PyG or what it needs."""
    try:
        with warnings.catch_warnings():
            # PyG still uses torch.jit.script. Its other warnings, of broken extensions, must be seen.
            warnings.simplefilter("ignore", DeprecationWarning)
            from torch_geometric.datasets import Planetoid
        # PyG announces its work on stderr.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore", DeprecationWarning)
            # SciPy is imported here and not before: the pickles hold its matrices.
            return Planetoid(str(root), name)[0]
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0].replace("_", "-") or "torch-geometric"
        raise DatasetAbsent(
            f"{name}: reading it needs the package {package}",
            needs=f"package:{package}",
            fix=f"pip install {package}",
        ) from error

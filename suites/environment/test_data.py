"""Data sets as PyG keeps them: processed once, then read from a cache, which is where releases meet."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from typing import Any

import torch

from gnnbench.checks import Evidence, check, fail, not_applicable
from gnnbench.reference import UnsupportedByBackend
from gnnbench.reference.pyg import require_pyg

#: What PyG says where torch refuses its file, and it reads it all the same, as a pickle that may run code.
_REFUSED = "Weights only load failed"


@check(
    catches=("F34",),
    fix="upgrade torch-geometric to a release that knows this torch, and delete the folder processed/",
)
def test_second_load(evidence: Evidence) -> None:
    """A data set that PyG has processed and written loads again, the same, and without processing."""
    try:
        data = require_pyg("torch_geometric.data")
    except UnsupportedByBackend as error:
        not_applicable(error.reason, needs="package:torch_geometric")
    processed: list[str] = []

    class Small(data.InMemoryDataset):  # type: ignore[misc, name-defined]  # PyG is untyped
        processed_file_names = "data.pt"

        def process(self) -> None:
            processed.append(self.root)
            self.save([_graph(data, seed) for seed in range(3)], self.processed_paths[0])

        def __init__(self, root: str) -> None:
            super().__init__(root)
            self.load(self.processed_paths[0])

    with (
        tempfile.TemporaryDirectory(prefix="gnnbench-") as folder,
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                Small(folder)
                again = Small(folder)
            except OSError as error:
                fail(
                    f"no data set can be written to {tempfile.gettempdir()}: {error.strerror or error}",
                    expected="a folder for temporary files with room for a small data set",
                    found=f"{type(error).__name__}: {error}",
                    cause="a disk that is full, a quota, or a limit on the size of files",
                    fix="make room there, or set TMPDIR to another folder",
                )
            except Exception as error:
                fail(
                    "a data set that PyG has just written can't be read back",
                    expected="the same data set from its cache",
                    found=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}",
                    cause="torch from 2.6 on loads tensors only, and the file holds something else",
                )
    messages = [str(warning.message) for warning in said if _REFUSED in str(warning.message)]
    evidence.fact("processed", len(processed))
    if messages:
        fail(
            "PyG reads its cache only as a pickle that torch refuses",
            expected="tensors and PyG's own classes",
            found=messages[0],
            cause="a torch-geometric that is older than this torch, or a class of neither in the file",
        )
    if len(processed) != 1 or len(again) != 3:
        fail(
            "the cache of a data set is not used",
            expected="3 graphs, processed once",
            found=f"{len(again)} graphs, processed {len(processed)} times",
        )
    for seed, loaded in enumerate(again):
        right = _graph(data, seed)
        for name in ("x", "edge_index", "edge_weight", "y"):
            if not torch.equal(loaded[name], right[name]):
                fail(
                    f"graph {seed} comes back from the cache with another {name}",
                    expected="what was written",
                    found=f"{name} of shape {list(loaded[name].shape)} with other values",
                )
        if loaded.num_nodes != right.num_nodes:
            fail(
                f"graph {seed} comes back with another number of nodes",
                expected=str(right.num_nodes),
                found=str(loaded.num_nodes),
            )


def _graph(data: Any, seed: int) -> Any:
    """A weighted graph of its own size, whose last node is isolated."""
    generator = torch.Generator().manual_seed(seed)
    nodes, edges = 5 + seed, 9 + 2 * seed
    return data.Data(
        x=torch.randn(nodes, 4, generator=generator),
        edge_index=torch.randint(nodes - 1, (2, edges), generator=generator),
        edge_weight=torch.rand(edges, generator=generator),
        y=torch.randint(3, (nodes,), generator=generator),
    )

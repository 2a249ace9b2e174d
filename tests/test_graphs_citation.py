"""Planetoid: whole, absent, truncated, altered and read-only files."""

import os
import shutil
import subprocess
import sys

import pytest

from gnnbench.graphs import DatasetAbsent, DatasetCorrupt, planetoid
from gnnbench.graphs.planetoid_files import raw_file_names, verify_raw_files


def copy_of(root, tmp_path, name="Cora"):
    folder = tmp_path / name / "raw"
    folder.mkdir(parents=True)
    for file in raw_file_names(name):
        shutil.copyfile(root / name / "raw" / file, folder / file)
    return folder


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "features", "classes", "train"),
    [("Cora", 2708, 10_556, 1433, 7, 140), ("CiteSeer", 3327, 9104, 3703, 6, 120)],
)
def test_it_reads_the_public_split(planetoid_root, name, nodes, edges, features, classes, train):
    """Sizes are those in the literature, and rows sum to 1."""
    data = planetoid(name, planetoid_root)

    assert (data.graph.num_nodes, data.graph.num_edges) == (nodes, edges)
    assert tuple(data.features.shape) == (nodes, features)
    assert data.num_classes == classes
    assert [int(mask.sum()) for mask in (data.train_mask, data.val_mask, data.test_mask)] == [
        train,
        500,
        1000,
    ]
    sums = data.dense_features().double().sum(dim=1)
    assert float(((sums - 1).abs() * (sums > 0)).max()) < 1e-5
    assert not data.graph.is_directed


def test_nothing_is_written_to_the_root(planetoid_root, tmp_path):
    """PyG's processed/ folder goes elsewhere, so that a read-only, shared folder will do."""
    raw = copy_of(planetoid_root, tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    for folder in (raw, raw.parent, tmp_path):
        folder.chmod(0o555)
    try:
        planetoid("Cora", tmp_path)
    finally:
        for folder in (tmp_path, raw.parent, raw):
            folder.chmod(0o755)

    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_nothing_is_printed(planetoid_root):
    """PyG announces its work except under pytest: in a process of its own it must be silent too."""
    code = f"from gnnbench.graphs import planetoid; planetoid('Cora', {str(planetoid_root)!r})"
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=outside
    )

    assert (done.stdout, done.stderr) == ("", "")


def test_an_absent_data_set_says_how_to_fetch_it(tmp_path):
    """The message has the command, and the exception what a check needs to say that it does not apply."""
    with pytest.raises(DatasetAbsent) as raised:
        planetoid("Cora", tmp_path)

    assert raised.value.needs == "dataset:Cora"
    assert "Planetoid(" in raised.value.fix
    assert str(tmp_path) in raised.value.fix
    assert raised.value.fix in str(raised.value)
    assert "8 of 8 raw files are missing" in str(raised.value)


@pytest.mark.parametrize("package", ["torch_geometric", "scipy"])
def test_what_reads_it_may_be_absent(planetoid_root, package):
    """PyG, or SciPy, whose matrices the pickles hold: the package is what is needed, and no traceback tells it."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from gnnbench.graphs import DatasetAbsent, planetoid\n"
        "try:\n"
        f"    planetoid('Cora', {str(planetoid_root)!r})\n"
        "except DatasetAbsent as absent:\n"
        "    print(absent.needs, absent.fix, sep='|')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    named = package.replace("_", "-")
    assert done.stdout.strip() == f"package:{named}|pip install {named}"


def test_no_root_is_an_absent_data_set():
    """Without --data there is nothing to read, and a command to change that."""
    with pytest.raises(DatasetAbsent, match="no data folder was given") as raised:
        planetoid("PubMed", None)

    assert raised.value.needs == "dataset:PubMed"


def test_one_missing_file_is_named(planetoid_root, tmp_path):
    """An interrupted download leaves some files; the first that lacks is in the message."""
    raw = copy_of(planetoid_root, tmp_path)
    (raw / "ind.cora.graph").unlink()

    with pytest.raises(DatasetAbsent, match=r"ind\.cora\.graph is not there \(1 of 8"):
        planetoid("Cora", tmp_path)


@pytest.mark.parametrize("file", raw_file_names("Cora"))
def test_a_truncated_file_is_named(planetoid_root, tmp_path, file):
    """Half a file is found out before PyG reads it, whichever it is."""
    raw = copy_of(planetoid_root, tmp_path)
    whole = (raw / file).read_bytes()
    (raw / file).write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DatasetCorrupt, match=file.replace(".", r"\.")) as raised:
        planetoid("Cora", tmp_path)

    assert raised.value.path == raw / file


def test_one_altered_byte_is_found(planetoid_root, tmp_path):
    """A file of the right length with a flipped bit is not the data set."""
    raw = copy_of(planetoid_root, tmp_path)
    content = bytearray((raw / "ind.cora.allx").read_bytes())
    content[len(content) // 2] ^= 1
    (raw / "ind.cora.allx").write_bytes(content)

    with pytest.raises(DatasetCorrupt, match="expected SHA-256 9419ba2f"):
        planetoid("Cora", tmp_path)


def test_an_empty_file_is_said_to_be_empty(planetoid_root, tmp_path):
    """A full disk leaves files of no length."""
    raw = copy_of(planetoid_root, tmp_path)
    (raw / "ind.cora.y").write_bytes(b"")

    with pytest.raises(DatasetCorrupt, match=r"ind\.cora\.y: expected a data file, found an empty one"):
        planetoid("Cora", tmp_path)


def test_without_digests_every_pickle_is_read_to_its_end(planetoid_root, tmp_path):
    """PubMed has no digest here: Cora's files under its names are accepted whole and refused truncated."""
    folder = tmp_path / "PubMed" / "raw"
    folder.mkdir(parents=True)
    for given, wanted in zip(raw_file_names("Cora"), raw_file_names("PubMed"), strict=True):
        shutil.copyfile(planetoid_root / "Cora" / "raw" / given, folder / wanted)
    assert verify_raw_files("PubMed", tmp_path) == folder

    whole = (folder / "ind.pubmed.tx").read_bytes()
    (folder / "ind.pubmed.tx").write_bytes(whole[:-200])
    with pytest.raises(DatasetCorrupt, match=r"ind\.pubmed\.tx: expected a whole pickle"):
        verify_raw_files("PubMed", tmp_path)

    shutil.copyfile(planetoid_root / "Cora" / "raw" / "ind.cora.tx", folder / "ind.pubmed.tx")
    (folder / "ind.pubmed.test.index").write_bytes(b"12\nthirteen\n")
    with pytest.raises(DatasetCorrupt, match=r"test\.index: expected one node number a line"):
        verify_raw_files("PubMed", tmp_path)


def test_an_unknown_name_is_refused(tmp_path):
    """The message lists the three there are."""
    with pytest.raises(ValueError, match="Cora, CiteSeer, PubMed"):
        planetoid("cora", tmp_path)


def test_importing_graphs_does_not_import_pyg():
    """PyG costs seconds: it is imported when a data set is read, not before."""
    code = "import sys, gnnbench.graphs; print('torch_geometric' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"

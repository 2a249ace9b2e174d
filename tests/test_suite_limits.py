"""suites/environment/test_limits.py: why shared memory can't be used is told by what the kernel said."""

import pytest

from gnnbench.checks import Evidence
from gnnbench.checks.outcomes import CheckFailed, describe
from gnnbench.environment import ChildReport, Ending
from gnnbench.environment.limits import file_system
from suites.environment import test_limits as suite

pytest.importorskip("torch")

MOUNTS = """\
22 1 0:20 / / rw - overlay overlay rw
25 22 0:6 / /dev rw - devtmpfs devtmpfs rw
30 25 0:27 / /dev/shm rw,relatime - {kind} none rw
31 22 8:1 / /dev/sh rw - xfs /dev/sda1 rw
nonsense
33 22 0:9 / /mnt/a\\040b rw shared:1 master:2 - nfs4 server:/ rw
"""


class Probing:
    """A probe that has ended so."""

    def __init__(self, error):
        kind = error.partition(":")[0]
        self._report = ChildReport(
            target="probe",
            ending=Ending.RAISED if error else Ending.OK,
            error=error,
            error_type=kind,
            value=None if error else {"device": "cpu"},
        )

    def start(self, name):
        return self

    def wait(self):
        return self._report


def told(error):
    """What the check says where the probe raised `error`."""
    with pytest.raises(CheckFailed) as failed:
        suite.test_shared_memory(Probing(error), Evidence())
    return describe(failed.value.finding)


@pytest.mark.parametrize(
    ("error", "words", "others"),
    [
        ("OSError: [Errno 28] No space left on device", "too small", "64 MB"),
        (
            "OSError: [Errno 30] Read-only file system: '/dev/shm/x'",
            "can't be written to: Read-only",
            "mode 1777",
        ),
        (
            "PermissionError: [Errno 13] Permission denied: '/dev/shm/x'",
            "can't be written to: Permission",
            "mode 1777",
        ),
        ("OSError: [Errno 24] Too many open files", "raised OSError", "ulimit -n"),
    ],
)
def test_each_reason_has_its_own_words(error, words, others):
    """Docker's 64 MB are not to blame for a folder that is read-only."""
    assert words in told(error)
    assert others in told(error)
    assert ("too small" in told(error)) is (words == "too small")


@pytest.mark.parametrize("kind", ["ext4", "overlay", "fuse.sshfs", "9p"])
def test_shared_memory_on_a_disk(tmp_path, monkeypatch, kind):
    """It works, and whatever workers hand over goes through a disk."""
    monkeypatch.setattr(suite, "file_system", lambda: kind)

    assert f"/dev/shm lies on {kind}" in told("")


def test_shared_memory_in_memory(monkeypatch):
    """tmpfs, what /dev itself is on, and what /proc does not tell are no fault."""
    for kind in ("tmpfs", "devtmpfs", "ramfs", ""):
        monkeypatch.setattr(suite, "file_system", lambda kind=kind: kind)
        suite.test_shared_memory(Probing(""), Evidence())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/dev/shm", "tmpfs"),
        ("/dev/shm/below", "tmpfs"),
        ("/dev/null", "devtmpfs"),
        ("/dev/sh", "xfs"),
        ("/mnt/a b/c", "nfs4"),
        ("/home", "overlay"),
    ],
)
def test_file_systems_are_read_from_the_kernels_list(tmp_path, path, kind):
    """The deepest mount point that a path lies below; octal numbers stand for blanks."""
    (tmp_path / "mountinfo").write_text(MOUNTS.format(kind="tmpfs"))

    assert file_system(type(tmp_path)(path), tmp_path / "mountinfo") == kind


def test_the_last_of_two_mounts_lies_over_the_other(tmp_path):
    """And a /proc that is hidden tells nothing."""
    text = MOUNTS.format(kind="ext4") + "40 30 0:99 / /dev/shm rw - tmpfs shm rw\n"
    (tmp_path / "mountinfo").write_text(text)

    assert file_system(mounts=tmp_path / "mountinfo") == "tmpfs"
    assert file_system(mounts=tmp_path / "nowhere") == ""

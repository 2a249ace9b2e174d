"""gnnbench.environment.collect: no fact that can't be read takes another along, whatever the system hides."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: Reads all facts, with a survey, and says what became of them.
READ = """
import json, sys
from gnnbench.environment import ForkServer, collect, survey
with ForkServer(["torch"]) as server:
    survey.begin(server)
    found = collect()
print(json.dumps({
    "values": {key: fact.value for key, fact in found.facts.items()},
    "errors": {key: fact.error for key, fact in found.facts.items() if fact.error},
    "devices": [device.name for device in found.devices],
    "packages": len(found.packages),
}))
"""


def namespaces(*words):
    """A shell with file systems of its own; skips where the system gives none."""
    for command in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True).returncode == 0
        ):
            return [*command, "sh", "-ec", " ; ".join([*words, 'exec "$@"']), "sh"]
    return pytest.skip("needs a mount namespace (unshare)")


def read(prefix=(), **changes):
    """What `READ` says in a process that is started by `prefix`, with variables changed; None takes one away."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **changes}
    ended = subprocess.run(
        [*prefix, sys.executable, "-c", READ],
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def usual():
    """What is read here."""
    return read()


def test_nothing_is_lost_here(usual):
    """No fact has an error, and the survey's are among them."""
    assert usual["errors"] == {}
    assert any("libtorch" in path for path in usual["values"]["libraries.mapped"])
    assert usual["values"]["pyg.flags"]
    assert set(usual["values"]["libraries.after"]) == {"convolution", "sparse product", "collective"}


def test_proc_is_hidden(usual):
    """What is read there says so, and nothing else is lost."""
    found = read(namespaces("mount -t tmpfs none /proc"))

    assert found["errors"]
    assert all("No such file" in error for error in found["errors"].values())
    assert found["values"].keys() == usual["values"].keys()
    assert found["devices"] == usual["devices"]
    assert found["packages"] == usual["packages"]
    assert found["values"]["pyg.flags"] == usual["values"]["pyg.flags"]


def test_the_file_system_is_read_only(usual):
    """Nothing has to be written to read facts, not even to a folder for temporary files."""
    found = read(
        namespaces("mount --bind / /", "mount -o remount,ro,bind /", "mount -o remount,ro /tmp || true")
    )

    assert found["errors"] == {}
    assert found["values"]["libraries.mapped"] == usual["values"]["libraries.mapped"]
    # PyG itself asks for such a folder when it is imported, and is told of.
    assert found["values"]["pyg.flags"] or "No usable temporary directory" in found["values"]["pyg.error"]


def test_no_git(tmp_path):
    """The commit is not known, and says why."""
    found = read(PATH=str(tmp_path))

    assert {key.partition(".")[0] for key in found["errors"]} <= {"git"}


def test_no_home_and_no_variable_at_all(usual):
    """PATH and HOME gone, as under `env -i`."""
    found = read(["env", "-i", f"PYTHONPATH={Path(__file__).parents[1]}"])

    assert {key.partition(".")[0] for key in found["errors"]} <= {"git"}
    assert found["values"]["torch.version"] == usual["values"]["torch.version"]


def test_a_user_without_a_name():
    """As `docker run --user 54321` has it: no line of /etc/passwd, and no HOME."""
    found = read(namespaces("mount --bind /dev/null /etc/passwd"), HOME=None, USER=None, LOGNAME=None)

    assert found["errors"] == {}
    assert found["values"]["container.user_id"] == 0 or os.geteuid() != 0

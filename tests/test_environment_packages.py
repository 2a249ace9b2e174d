"""gnnbench.environment.packages and variables: what is recorded of an image, and what must not be."""

import importlib.metadata

import pytest

from gnnbench.environment import packages
from gnnbench.environment.pyg import degraded
from gnnbench.environment.variables import recorded


def test_installed_agrees_with_the_library():
    """Names and versions read from folder names are those that importlib.metadata parses."""
    for name in ("torch", "pytest-benchmark", "Jinja2"):
        assert packages.installed()[packages.canonical(name)] == importlib.metadata.version(name)


def test_doubled_in_one_folder_only():
    """Two versions in one folder are a broken upgrade; one folder hiding another is normal."""
    folders = [
        ("torch", "2.5.0", "/site/torch-2.5.0.dist-info"),
        ("torch", "2.6.0", "/site/torch-2.6.0.dist-info"),
        ("numpy", "2.0", "/site/numpy-2.0.dist-info"),
        ("numpy", "2.0", "/site/numpy-2.0.dist-info"),  # its folder stands twice on sys.path
        ("numpy", "1.26", "/usr/lib/numpy-1.26.dist-info"),
        # Debian leaves both for one release.
        ("cryptography", "38.0.4", "/usr/lib/cryptography-38.0.4.dist-info"),
        ("cryptography", "38.0.4", "/usr/lib/cryptography-38.0.4.egg-info"),
    ]

    assert packages.doubled(folders) == {"torch": ("2.5.0", "2.6.0")}


def test_nvidia_wheels_of_two_cudas():
    """F32: cu11 and cu12 wheels of one library clash; different libraries may differ."""
    names = ["nvidia-cudnn-cu11", "nvidia_cudnn_cu12", "nvidia-nccl-cu12", "nvidia-ml-py", "torch"]

    assert packages.nvidia_majors(names) == {"cudnn": ("11", "12")}


def test_build_tags():
    """What a wheel was built for is told by its local version; a vendor's own says nothing of it."""
    versions = {
        "torch": "2.6.0+cu126",
        "torchvision": "0.21.0+cpu",
        "torchaudio": "2.6.0a0+git1a2b",
        "x": "1+cpu",
    }

    assert packages.build_tags(versions) == {"torch": "cu126", "torchvision": "cpu"}


@pytest.mark.parametrize("name", ["NVIDIA_API_KEY", "TORCH_HUB_TOKEN", "HOME", "PATH"])
def test_variables_never_recorded(name):
    """Secrets under a prefix that is recorded, and everything else, stay out."""
    assert recorded({name: "x", "OMP_NUM_THREADS": "4"}) == {"OMP_NUM_THREADS": "4"}


def test_variables_lose_passwords_in_addresses():
    """A user name and password in an address are no fact about an environment."""
    assert recorded({"TORCH_HOME": "https://me:secret@host/x"}) == {"TORCH_HOME": "https://…@host/x"}


@pytest.mark.parametrize(
    ("message", "is_degraded"),
    [
        ("An issue occurred while importing 'torch-scatter'. Disabling its usage. Stacktrace: ...", True),
        ("Failed to initialize NumPy: _ARRAY_API not found (Triggered internally at ...)", True),
        ("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.2", True),
        ("`torch.jit.script` is deprecated.", False),
        ("'torch-cluster' is no longer necessary and is being ignored.", False),
    ],
)
def test_degraded(message, is_degraded):
    """F26: warnings that something is switched off are told from deprecations."""
    assert bool(degraded([message])) is is_degraded


def test_the_fingerprint_is_of_names_and_versions():
    """Whatever their order; a version that changed is another number."""
    one = packages.fingerprint({"torch": "2.8.0", "numpy": "2.0"})

    assert one == packages.fingerprint({"numpy": "2.0", "torch": "2.8.0"})
    assert (
        len(
            {
                one,
                packages.fingerprint({"torch": "2.8.1", "numpy": "2.0"}),
                packages.fingerprint({"torch": "2.8.0"}),
            }
        )
        == 3
    )
    assert len(one) == 16

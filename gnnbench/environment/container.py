"""The container that this process runs in, as far as it can be known from inside."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gnnbench.environment.fact import FactSpec


def engine(root: Path = Path("/")) -> str | None:
    """`podman`, `docker`, `kubernetes`, `singularity` or another; None outside a container."""
    if os.environ.get("SINGULARITY_NAME") or os.environ.get("APPTAINER_NAME"):
        return "singularity"
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    return _engine_of_init(root)


def _engine_of_init(root: Path) -> str | None:
    # systemd-nspawn, LXC and others leave the name here; cgroup v1 paths name docker, kubepods, lxc.
    for name, pattern in (
        ("run/systemd/container", r"(\S+)"),
        ("proc/1/cgroup", r"/(docker|kubepods|lxc|libpod|containerd)\b"),
    ):
        try:
            match = re.search(pattern, (root / name).read_text())
        except OSError:
            continue
        if match:
            return match[1]
    return None


def image(root: Path = Path("/")) -> str | None:
    """The image's name, where its builder or engine left it.

    `GNNBENCH_IMAGE` says it best; podman writes it into /run/.containerenv. No engine tells more.
    """
    return os.environ.get("GNNBENCH_IMAGE") or _containerenv(root, "image")


def image_digest(root: Path = Path("/")) -> str | None:
    """The image's digest or id, from `GNNBENCH_IMAGE_DIGEST` or podman."""
    return os.environ.get("GNNBENCH_IMAGE_DIGEST") or _containerenv(root, "imageid")


def _containerenv(root: Path, key: str) -> str | None:
    try:
        text = (root / "run/.containerenv").read_text()
    except OSError:
        return None
    match = re.search(rf'^{key}="?([^"\n]+)"?$', text, re.MULTILINE)
    return match[1] if match else None


def user_id() -> int:
    """The user that this process runs as; 0 is root."""
    return os.geteuid()


FACTS = (
    FactSpec("container.engine", "Container engine", engine),
    FactSpec("container.image", "Image", image),
    FactSpec("container.image_digest", "Image digest", image_digest),
    FactSpec("container.user_id", "User id", user_id),
)

"""The commit that the working directory stands at."""

from __future__ import annotations

import subprocess

from gnnbench.environment.fact import FactSpec

_TIMEOUT_S = 5.0


def _git(*arguments: str) -> str | None:
    """What git prints, or None where the working directory is no repository."""
    result = subprocess.run(
        ["git", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )
    return result.stdout.strip() if result.returncode == 0 else None


def commit() -> str | None:
    """The full name of HEAD."""
    return _git("rev-parse", "HEAD")


def branch() -> str | None:
    """The branch, or None where HEAD is detached."""
    return _git("symbolic-ref", "--short", "--quiet", "HEAD")


def modified() -> bool | None:
    """Whether tracked files differ from HEAD."""
    # --no-optional-locks: reading facts must not write the index of somebody's repository.
    status = _git("--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    return None if status is None else bool(status)


FACTS = (
    FactSpec("git.commit", "Commit", commit),
    FactSpec("git.branch", "Branch", branch),
    FactSpec("git.modified", "Tracked files modified", modified),
)

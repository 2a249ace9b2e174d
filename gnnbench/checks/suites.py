"""Where the suites are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

SUITES = ("environment", "equivalence", "precision", "memory", "throughput", "distributed")

#: Folder and name of the checks that judge `--require`, and of those that judge `--contract`.
REQUIRED = "environment/required"
CONTRACT = "environment/contract"

#: The check that judges `--target`; without that option it judges the GPUs at hand.
TARGET = "environment/audit/target"


def judges_demands(check_id: str, targets: Collection[str] = ()) -> bool:
    """Whether a check judges what the user demanded: it runs whatever suites and names are chosen.

    Args:
        check_id: whose.
        targets: that the user named.
    """
    return check_id.startswith((f"{REQUIRED}/", f"{CONTRACT}/")) or (
        bool(targets) and check_id.startswith(f"{TARGET}[")
    )


#: The pytest configuration that `gnnbench run` uses, so that the folder it is called from has no say.
PYTEST_INI = Path(__file__).with_name("pytest.ini")


def suites_folder() -> Path:
    """The folder of the suites; raises `FileNotFoundError` where the installation lacks it."""
    package = Path(__file__).parents[1]
    for candidate in (package / "suites", package.parent / "suites"):
        if (candidate / "__init__.py").is_file():
            return candidate
    raise FileNotFoundError(
        f"expected the suites in {package / 'suites'}, found none; reinstall gnnbench from its wheel"
    )


def suite_names() -> tuple[str, ...]:
    """The suites that stand here, in the order they run."""
    folder = suites_folder()
    return tuple(name for name in SUITES if (folder / name / "__init__.py").is_file())


def pytest_options() -> list[str]:
    """What any pytest that runs the suites is told, so that the folder it is called from has no say."""
    folder = suites_folder()
    return [
        *(f"--rootdir={folder}", f"--confcutdir={folder}", "-c", str(PYTEST_INI), "-p", "no:cacheprovider"),
        # By name, so that PYTEST_DISABLE_PLUGIN_AUTOLOAD does not take them away.
        *("-p", "gnnbench.plugin", "-p", "benchmark", "--continue-on-collection-errors", "--tb=short"),
        # It imports all of hypothesis to say nothing, at the end of each session: two seconds.
        *("-p", "no:hypothesispytest"),
    ]

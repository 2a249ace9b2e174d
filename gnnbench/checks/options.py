"""The plugin's options: each on the command line, as an ini value, and as a typed value."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from gnnbench.checks.declaration import TIERS, Tier
from gnnbench.checks.recorder import new_run_id
from gnnbench.checks.replay import Replay
from gnnbench.checks.requirement import parse_requirement
from gnnbench.checks.target import parse_target

#: Under which the controller tells pytest-xdist's workers the name of the run.
RUN_ID = "gnnbench_run_id"

_OPTIONS: tuple[tuple[str, str, str], ...] = (
    # name, metavar, help; all are lists of words separated by commas or blanks, where they can be several
    ("tier", "NAME", f"how much to run: {', '.join(TIERS)} (default: standard)"),
    ("suite", "NAME[,NAME]", "only these suites (default: all)"),
    ("device", "NAME[,NAME]", "cpu, cuda, cuda:N (default: every GPU, else cpu)"),
    (
        "require",
        "WHAT[,WHAT]",
        "what must be there: cuda, cuda:N, dataset:NAME, package:NAME; its lack fails",
    ),
    ("target", "GPU[,GPU]", "GPUs that the image is for: sm_90, 9.0, H100 (default: those at hand)"),
    ("contract", "FILE", "what the image must provide, in TOML; what does not hold fails (default: none)"),
    ("data", "DIR", "folder of data sets, as NAME/raw/... (default: $GNNBENCH_DATA)"),
    ("output", "DIR", "folder for run folders; `none` writes nothing (default: reports)"),
    ("replay", "FILE", "document whose recorded graphs suites/equivalence/replay.py runs again"),
    ("replay-check", "ID", "of that document only the graph of this check (default: all)"),
    ("run-id", "ID", "name of the run and its folder (default: made from the time)"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for, parsed."""

    tier: Tier
    suites: tuple[str, ...]
    devices: tuple[str, ...]
    requirements: frozenset[str]
    data: Path | None
    output: Path | None
    run_id: str
    plugins: tuple[str, ...] = ()
    """Modules that the user had loaded with `-p`: a backend may come from one of them."""
    replay: Replay | None = None
    targets: tuple[str, ...] = ()
    """GPUs that the image must serve, as `sm_90`; empty where none was named."""
    contract: Path | None = None
    """As it was named."""

    @property
    def folder(self) -> Path | None:
        """The run's own folder, or None where nothing is to be written."""
        return None if self.output is None else self.output / self.run_id


def add_options(parser: pytest.Parser) -> None:
    """Register every option with its ini twin: `--gnnbench-tier` and `gnnbench_tier`."""
    group = parser.getgroup("gnnbench", "gnnbench: GPU images judged for graph neural networks")
    for name, metavar, text in _OPTIONS:
        key = f"gnnbench_{name.replace('-', '_')}"
        group.addoption(
            f"--gnnbench-{name}", dest=key, metavar=metavar, default=None, action="append", help=text
        )
        parser.addini(key, f"as --gnnbench-{name}", default="")


def read_options(config: pytest.Config) -> Options:
    """The options of this session; raises `pytest.UsageError` naming the one that is wrong."""
    try:
        tier = Tier.parse(_one(config, "tier") or "standard")
    except ValueError as error:
        raise pytest.UsageError(f"--gnnbench-tier: {error}") from None
    try:
        requirements = frozenset(parse_requirement(word) for word in _words(config, "require"))
    except ValueError as error:
        raise pytest.UsageError(f"--gnnbench-require: {error}") from None
    try:
        targets = tuple(dict.fromkeys(parse_target(word) for word in _words(config, "target")))
    except ValueError as error:
        raise pytest.UsageError(f"--gnnbench-target: {error}") from None
    # The workers of pytest-xdist are told, for the run is one.
    told = getattr(config, "workerinput", {}).get(RUN_ID)
    run_id = told or _one(config, "run-id") or new_run_id()
    if not run_id.replace("-", "").replace("_", "").replace(".", "").isalnum() or run_id.startswith("."):
        raise pytest.UsageError(f"--gnnbench-run-id: expected letters, digits, - _ and ., found {run_id!r}")
    output = _one(config, "output") or "reports"
    return Options(
        tier=tier,
        suites=tuple(dict.fromkeys(_words(config, "suite"))),
        devices=tuple(dict.fromkeys(_words(config, "device"))),
        requirements=requirements,
        data=_data_folder(_one(config, "data")),
        output=None if output == "none" else config.invocation_params.dir / output,
        run_id=run_id,
        plugins=_plugins(config),
        replay=_replay(config),
        targets=targets,
        contract=_contract(config),
    )


#: Modules whose plugins are there in any case, or are loaded by us.
_OURS = ("_pytest.", "gnnbench.", "pytest_benchmark.")


def _plugins(config: pytest.Config) -> tuple[str, ...]:
    named = dict.fromkeys(config.getoption("plugins", None) or ())
    modules = {name: getattr(config.pluginmanager.get_plugin(name), "__name__", name) for name in named}
    return tuple(
        name
        for name, module in modules.items()
        if not name.startswith("no:") and not module.startswith(_OURS)
    )


def _replay(config: pytest.Config) -> Replay | None:
    document = _one(config, "replay")
    return Replay(Path(document), _one(config, "replay-check")) if document else None


def _contract(config: pytest.Config) -> Path | None:
    named = _one(config, "contract")
    if not named and config.getoption("gnnbench_contract") is not None:
        # Taken for "none", `--gnnbench-contract "$UNSET"` would hold the image to nothing.
        raise pytest.UsageError(
            "--gnnbench-contract: expected a file, found ''; leave the option out to mean none"
        )
    return Path(named) if named else None


def _data_folder(named: str) -> Path | None:
    source = "--gnnbench-data" if named else "GNNBENCH_DATA"
    named = named or os.environ.get("GNNBENCH_DATA", "")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise pytest.UsageError(f"{source}: expected a folder of data sets, found nothing at {folder}")
    return folder.resolve()


def _given(config: pytest.Config, name: str) -> list[str]:
    key = f"gnnbench_{name.replace('-', '_')}"
    given: list[str] | None = config.getoption(key)
    return given if given is not None else [str(config.getini(key))]


def _one(config: pytest.Config, name: str) -> str:
    return _given(config, name)[-1].strip()


def _words(config: pytest.Config, name: str) -> list[str]:
    words = [word for text in _given(config, name) for word in text.replace(",", " ").split()]
    if not words and config.getoption(f"gnnbench_{name}") is not None:
        # Taken for "all", `--gnnbench-require "$UNSET"` would require nothing.
        raise pytest.UsageError(
            f"--gnnbench-{name}: expected a word, found none; leave the option out to mean the default"
        )
    return words

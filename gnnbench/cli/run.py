"""`gnnbench run`: run the suites, leave a document and its reports, say the verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gnnbench.checks.declaration import TIERS
from gnnbench.checks.requirement import parse_requirement
from gnnbench.checks.suites import CONTRACT, REQUIRED, TARGET, suite_names, suites_folder
from gnnbench.checks.target import parse_target
from gnnbench.cli.conduct import conduct
from gnnbench.cli.options import (
    OneOf,
    charts_option,
    devices_option,
    pytest_arguments,
    run_options,
    spelt,
    words_option,
)
from gnnbench.cli.publish import publish
from gnnbench.record import Invocation


def _suite(word: str) -> str:
    return spelt(word, suite_names())


def _requirement(word: str) -> str:
    try:
        return parse_requirement(word)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _target(word: str) -> str:
    try:
        return parse_target(word)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    short_help="Judge this machine and image.",
    context_settings={"max_content_width": 100},
    epilog="\b\nExamples:\n"
    "  gnnbench run\n"
    "  gnnbench run --tier smoke --require cuda:2\n"
    "  gnnbench run --suite environment,equivalence -k csr\n"
    "  gnnbench run --suite environment --target sm_90,sm_100\n"
    "  gnnbench run --contract contract.toml\n"
    "  gnnbench run -- -x --durations 5",
)
@click.option(
    "--tier",
    type=OneOf(TIERS),
    default="standard",
    show_default=True,
    help="How much to run: a minute, five, fifteen, an hour and more on one GPU.",
)
@words_option(
    "--suite", "suites", "a suite", each=_suite, help="Only this suite; again or with commas for more."
)
@devices_option("every GPU, else cpu")
@words_option(
    "--require",
    "require",
    "cuda, cuda:N, dataset:NAME or package:NAME",
    each=_requirement,
    metavar="WHAT",
    help="What must be there: cuda, cuda:N (at least N GPUs), dataset:NAME, package:NAME. Its lack fails, "
    "with exit code 12.",
)
@words_option(
    "--target",
    "targets",
    "a GPU such as sm_90, 9.0 or H100",
    each=_target,
    metavar="GPU",
    help="GPUs that the image is for, judged from its files: sm_90, 9.0, H100; again or with commas for more. "
    "Needs no GPU.  [default: those at hand]",
)
@click.option(
    "--contract",
    metavar="FILE",
    help="What the image must provide, in TOML; what does not hold fails, with exit code 12. `gnnbench snapshot` "
    "writes one.",
)
@click.option(
    "-k", "keyword", default="", metavar="EXPR", help="Only checks whose name matches, as pytest's -k."
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of data sets (Cora/raw/...).  [default: $GNNBENCH_DATA, else a synthetic stand-in]",
)
@run_options("run")
@charts_option
@pytest_arguments
def run(
    tier: str,
    suites: Sequence[str],
    devices: Sequence[str],
    require: Sequence[str],
    targets: Sequence[str],
    contract: str | None,
    keyword: str,
    data: Path | None,
    output: Path,
    json_to: str | None,
    charts: bool,
    pytest_args: Sequence[str],
) -> int:
    """Judge this machine and image, and leave run.json, report.html, junit.xml and summary.md.

    Everything after `--` goes to pytest.
    """
    if data is not None and not data.is_dir():
        raise click.BadParameter(
            f"expected a folder of data sets, found nothing at {str(data)!r}", param_hint="--data"
        )
    invocation = Invocation(
        argv=("gnnbench", *sys.argv[1:]),
        tier=tier,
        suites=tuple(suites),
        require=tuple(require),
        targets=tuple(targets),
        keyword=keyword,
        contract=contract or "",
    )
    options = [
        *(f"--gnnbench-suite={name}" for name in suites),
        *(f"--gnnbench-device={name}" for name in devices),
        *(f"--gnnbench-require={what}" for what in require),
        *(f"--gnnbench-target={gpu}" for gpu in targets),
        *([f"--gnnbench-contract={contract}"] if contract is not None else []),
        *([f"--gnnbench-data={data.resolve()}"] if data else []),
        *(["-k", keyword] if keyword else []),
    ]
    ended = conduct(
        invocation,
        _places(suites, [(require, REQUIRED), (targets, TARGET), (contract, CONTRACT)]),
        options,
        pytest_args=pytest_args,
        output=output,
        charts=charts,
    )
    if isinstance(ended, int):
        return ended
    publish(*ended, json_to)
    return int(ended[0].exit_code or 0)


def _places(suites: Sequence[str], demands: Sequence[tuple[object, str]]) -> list[Path]:
    """What pytest is to collect: only what was chosen, for importing the rest takes time for nothing.

    Args:
        suites: that were chosen; all where none was.
        demands: what was demanded, if anything, and the checks that judge it whatever was chosen.
    """
    folder = suites_folder()
    places = [folder / name for name in suites or suite_names()]
    for demanded, checks in demands:
        suite, name, *_ = checks.split("/")
        if demanded and folder / suite not in places:
            places.append(folder / suite / f"test_{name}.py")
    return places

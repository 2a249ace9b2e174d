"""The pytest plugin: what turns a pytest session into a run.

Thin on purpose. Options are in `checks.options`, what an item declares in `checks.declaration`, how it is
judged in `checks.judgement`, and who keeps the document in `checks.controller`; here they meet pytest.

A result travels in the `user_properties` of the item's last report, so it reaches the controller of
pytest-xdist as it reaches a session without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from gnnbench import __version__
from gnnbench.checks import CheckSpec, Evidence, Tier, tier
from gnnbench.checks.controller import PROPERTY, Controller, selected_ids
from gnnbench.checks.declaration import CHECK_MARKER, TIER_MARKER
from gnnbench.checks.judgement import Judgement
from gnnbench.checks.options import Options, add_options, read_options
from gnnbench.checks.outcomes import describe, short_status
from gnnbench.checks.suites import judges_demands
from gnnbench.contract import Contract
from gnnbench.record import Environment
from gnnbench.record.codec import encode
from gnnbench.session import describe_machine, devices, environment_of, options_key, read_contract_of

controller_key = pytest.StashKey["Controller | None"]()
deselected_key = pytest.StashKey["Counter[str]"]()
judgement_key = pytest.StashKey[Judgement]()
contract_key = pytest.StashKey["Contract | None"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gnnbench-*` and the ini twins."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Parse the options, register the markers, and hang the controller where the document is kept."""
    config.addinivalue_line("markers", f"{CHECK_MARKER}(tier, catches, fix): set by gnnbench.checks.check")
    config.addinivalue_line("markers", f"{TIER_MARKER}(name): set by gnnbench.checks.tier")
    options = config.stash[options_key] = read_options(config)
    config.stash[deselected_key] = Counter()
    config.stash[controller_key] = None
    contract = config.stash[contract_key] = read_contract_of(options)
    if options.devices:
        # A device that was named and is not there is a mistake to be told at once, not at collection.
        devices(config)
    if not _is_worker(config):
        controller = Controller(
            config,
            options,
            __version__,
            lambda: describe_machine(config),
            lambda: environment_of(config),
            contract,
        )
        config.stash[controller_key] = controller
        config.pluginmanager.register(controller, "gnnbench-controller")
    if config.getoption("dist", "no") != "no" or _is_worker(config):
        # pytest-benchmark disables itself there, and warns of it even where nothing is benchmarked.
        config.option.benchmark_disable = True


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_report_header(config: pytest.Config) -> str:
    """One line: version and tier."""
    return f"gnnbench: {__version__}, tier {config.stash[options_key].tier.label}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give checks, and only checks, a `device` and a `backend`, each in a stable order.

    `weighted_backend` is one that can differentiate by edge weights. One that can't has no such check at all:
    it was never asked for.
    """
    if metafunc.definition.get_closest_marker(CHECK_MARKER) is None:
        return
    for argument, method in (("backend", "bind"), ("weighted_backend", "bind_weighted")):
        if argument not in metafunc.fixturenames:
            continue
        from gnnbench.reference import backends

        metafunc.parametrize(
            argument,
            [
                pytest.param(one, id=one.name, marks=tier(getattr(one, "tier", None) or Tier.SMOKE))
                for one in backends()
                if callable(getattr(one, method, None))
            ],
        )
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", [pytest.param(one, id=str(one)) for one in devices(metafunc.config)])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Leave out checks of other suites and larger tiers; count what is left out, by us and by `-k`."""
    options, left_out = config.stash[options_key], config.stash[deselected_key]
    keep: list[pytest.Item] = []
    drop: list[pytest.Item] = []
    for item in items:
        spec = CheckSpec.of(item)
        other_suite = spec is not None and not _wanted(spec, options)
        later_tier = spec is not None and spec.tier > options.tier
        left_out["suite"] += other_suite
        left_out["tier"] += later_tier and not other_suite
        (drop if other_suite or later_tier else keep).append(item)
    if drop:
        config.hook.pytest_deselected(items=drop)
        items[:] = keep
    # What judges a requirement or a contract is out of reach of -k, -m and --deselect: left out, it would hold.
    required = [item for item in items if _judges_demands(item)]
    items[:] = [item for item in items if item not in required]
    before = len(selected_ids(items))
    yield
    asked = any(config.getoption(name, None) for name in ("keyword", "markexpr", "deselect"))
    left_out["keyword" if asked else "another plugin"] = before - len(selected_ids(items))
    items[:0] = required
    controller = config.stash[controller_key]
    if controller is not None:
        controller.deselected = left_out


def _judges_demands(item: pytest.Item) -> bool:
    spec = CheckSpec.of(item)
    return spec is not None and judges_demands(spec.id, item.config.stash[options_key].targets)


def _wanted(spec: CheckSpec, options: Options) -> bool:
    """Whether the suite was asked for. What is demanded is judged in any case, or it would pass unseen."""
    return not options.suites or spec.suite in options.suites or judges_demands(spec.id, options.targets)


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """What a check says: margins, measurements, facts."""
    judgement = request.node.stash.get(judgement_key, None)
    return Evidence() if judgement is None else judgement.evidence


@pytest.fixture(scope="session")
def data_root(pytestconfig: pytest.Config) -> Path | None:
    """The folder of data sets that was named, or None."""
    return pytestconfig.stash[options_key].data


@pytest.fixture(scope="session")
def requirements(pytestconfig: pytest.Config) -> frozenset[str]:
    """What must be there: `{"cuda:2"}`."""
    return pytestconfig.stash[options_key].requirements


@pytest.fixture(scope="session")
def contract(pytestconfig: pytest.Config) -> Contract | None:
    """What the image must provide, or None where it is held to nothing."""
    return pytestconfig.stash[contract_key]


@pytest.fixture(scope="session")
def environment(pytestconfig: pytest.Config) -> Environment:
    """Facts, devices and packages, as the document has them; read once a process."""
    return environment_of(pytestconfig)


@pytest.fixture(scope="session")
def run_tier(pytestconfig: pytest.Config) -> Tier:
    """The tier of this run, for checks that size their work by it."""
    return pytestconfig.stash[options_key].tier


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to judge a check."""
    spec = CheckSpec.of(item)
    if spec is not None:
        item.stash[judgement_key] = Judgement(
            spec, item.config.stash[options_key].requirements, item.config.stash[contract_key]
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge each phase, and send the finished result along with the last."""
    report = yield
    judgement = item.stash.get(judgement_key, None)
    if judgement is None:
        return report
    judgement.add_phase(call, report)
    unmet = judgement.unmet_requirement
    if unmet is not None and report.skipped:
        # pytest's own count and exit code must agree with the document.
        report.outcome = "failed"
        report.longrepr = describe(unmet)
    if report.when == "teardown":
        worker = getattr(item.config, "workerinput", {}).get("workerid", "")
        item.user_properties.append((PROPERTY, encode(judgement.result(item, worker))))
        report.user_properties = list(item.user_properties)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Name our outcomes in pytest's own terminal, where a skip would hide them."""
    return short_status(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the controller which of its items were checks, and what it left out."""
    if _is_worker(session.config):
        left_out: Counter[str] = session.config.stash[deselected_key]
        session.config.workeroutput[PROPERTY] = {  # type: ignore[attr-defined]  # pytest-xdist's
            "selected": selected_ids(getattr(session, "items", ())),
            "deselected": dict(left_out.items()),
        }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The verdict, and where the reports are."""
    controller = config.stash[controller_key]
    if controller is None or controller.finished is None:
        return
    from gnnbench.report import terminal_verdict, write_reports

    run, _ = controller.finished
    recorder = controller.recorder
    if recorder is None or recorder.watched:
        return  # the process that watches writes the reports and says the verdict
    terminalreporter.section("gnnbench")
    write_reports(run, recorder.folder)
    terminalreporter.write_line(terminal_verdict(run, recorder.folder, color=terminalreporter.hasmarkup))


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Put the devices into pytest-benchmark's own JSON, whose readers would take two GPUs for one machine."""
    controller = config.stash[controller_key]
    if controller is not None and controller.recorder is not None:
        devices = controller.recorder.snapshot().environment.devices
        machine_info["gnnbench"] = {"version": __version__, "devices": [encode(device) for device in devices]}

"""The catalogue: every fault is owed by checks that exist and say that they catch it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gnnbench.checks.suites import suites_folder
from gnnbench.faults import Fault, catalogue

REPORT_SPECS = """
import json
from gnnbench.checks import CheckSpec

def pytest_collection_finish(session):
    specs = {}
    for item in session.items:
        spec = CheckSpec.of(item)
        if spec is not None:
            known = specs.setdefault(
                spec.id.partition("[")[0],
                {"tier": spec.tier, "title": spec.title, "fix": spec.fix, "catches": []},
            )
            known["catches"].extend(fault for fault in spec.catches if fault not in known["catches"])
            known["tier"] = min(known["tier"], spec.tier)
    with open("specs.json", "w") as file:
        json.dump(specs, file)
"""


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    """Check id without parameters → what it declares: tier, title, fix, and the faults that it says it catches."""
    folder = tmp_path_factory.mktemp("collected")
    (folder / "contract.toml").write_text('schema = "gnnbench.contract/1"\n[packages]\ntorch = true\n')
    (folder / "report_specs.py").write_text(REPORT_SPECS)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    subprocess.run(
        [sys.executable, "-m", "pytest", str(suites_folder()), "--collect-only", "-q", "-p", "report_specs",
         "--gnnbench-tier=soak", "--gnnbench-device=cpu", "--gnnbench-require=cuda", "--gnnbench-target=sm_90",
         "--gnnbench-contract=contract.toml", "--gnnbench-output=none", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=True,
        capture_output=True,
    )  # fmt: skip
    return json.loads((folder / "specs.json").read_text())


@pytest.mark.parametrize("fault", catalogue().values(), ids=catalogue())
def test_checks_that_owe_a_fault_say_so(fault, specs):
    """What a fault is caught by exists, and declares it."""
    number = fault.id[:3]

    for check in fault.caught_by:
        assert check in specs
        assert fault.harmless or number in specs[check]["catches"], f"{check} does not declare {number}"


def checks_page(specs):
    """docs/checks.md: what is said of each check of the environment suite, by file."""
    titles = {}
    for fault in catalogue().values():
        titles.setdefault(fault.id[:3], fault.title)
    files = {}
    for check, spec in specs.items():
        suite, file, name = check.split("/")
        if suite == "environment":
            files.setdefault(file, {})[name] = spec
    lines = [
        "# The checks of the image and the machine",
        "",
        "Each check of `suites/environment`, what it asserts, the faults of the catalogue that turn it red, and what to do where",
        "it is red. A finding often says better, for it knows what it has found. This page is made from the checks:",
        "`GNNBENCH_WRITE_DOCS=1 pytest tests/test_faults_catalogue.py` writes it anew.",
    ]
    for file, checks in sorted(files.items()):
        lines += ["", f"## {file}", "", "| check | asserts | catches | what to do |", "|---|---|---|---|"]
        for name, spec in checks.items():
            caught = "<br>".join(f"{fault} {titles.get(fault, '')}".strip() for fault in spec["catches"])
            tier = "" if spec["tier"] == 1 else " (from tier standard)"
            cells = (f"`{name}`{tier}", spec["title"], caught, spec["fix"])
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_page_of_checks_is_what_they_declare(specs):
    """Also what to do: no check of the image or a device ends without a line that says it."""
    page = Path(__file__).parents[1] / "docs" / "checks.md"
    if os.environ.get("GNNBENCH_WRITE_DOCS"):
        page.write_text(checks_page(specs))

    assert [
        check for check, spec in specs.items() if check.startswith("environment/") and not spec["fix"]
    ] == []
    assert page.read_text() == checks_page(specs), "run it once with GNNBENCH_WRITE_DOCS=1"


def test_every_row_of_its_areas_has_a_fault():
    """The reports that the catalogue was made from, as far as they are about graphs' numbers, data and devices."""
    planted = {fault.id[:3] for fault in catalogue().values()}

    assert planted >= {
        *("F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09", "F12", "F13", "F14", "F15", "F16", "F17"),
        *("F18", "F19", "F20", "F21", "F22", "F23", "F24", "F34", "F35", "F36", "F37", "F39", "F41", "F46", "F49", "F50"),
        *("F25", "F26", "F27", "F28", "F29", "F30", "F31", "F32", "F33", "F40", "F42", "F43", "F45"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "fault", [one for one in catalogue().values() if {"ENV", "DEV"} & {*one.areas}], ids=lambda one: one.id
)
def test_faults_of_image_and_device_say_their_cause(fault):
    """Red is not enough: the words that name the cause are part of the fault."""
    assert fault.says


@pytest.mark.parametrize("fault", catalogue().values(), ids=catalogue())
def test_a_fault_says_what_people_saw_and_where(fault):
    """Sources are issues or papers; a file is called after its fault."""
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+|arXiv:\d+\.\d+", source) for source in fault.sources)
    assert fault.title
    assert fault.symptom
    assert list(
        Path(__import__("gnnbench.faults").__path__[0]).glob(f"faults/catalogue/{fault.id.lower()}_*.py")
    )


def test_the_catalogue_needs_no_torch():
    """Listing what there is must be quick, and possible where torch is not."""
    ended = subprocess.run(
        [sys.executable, "-c",
         "import sys; from gnnbench.faults import catalogue; assert catalogue(); assert 'torch' not in sys.modules"],
        check=False,
    )  # fmt: skip

    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "17"}, "expected F and two digits"),
        ({"caught_by": ()}, "at least one check"),
        ({"areas": ("XX",)}, "expected areas of EQ, GRAD"),
        ({"areas": ()}, "expected areas of EQ, GRAD"),
        ({"caught_by": ("exact/forward",)}, "suite/file/check"),
    ],
)
def test_a_fault_that_nobody_could_prove_is_refused(changes, words):
    """Bad entries are told when they are made."""
    entry = {
        "id": "F99",
        "title": "t",
        "symptom": "s",
        "sources": ("a/b#1",),
        "areas": ("EQ",),
        "caught_by": ("equivalence/exact/forward",),
        "plant": print,
    }

    Fault(**entry)
    with pytest.raises(ValueError, match=words):
        Fault(**{**entry, **changes})


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "expected a Fault called FAULT"), (None, "F17 a second time")],
)
def test_bad_files_are_named(tmp_path, content, words):
    """A file without a fault, or with an id that is taken, is told by its name."""
    (own,) = Path(__import__("gnnbench.faults").__path__[0]).glob("faults/catalogue/f17_*.py")
    (tmp_path / "f99_bad.py").write_text(own.read_text() if content is None else content)

    with pytest.raises(ValueError, match=rf"f99_bad\.py: .*{words}"):
        catalogue([tmp_path])

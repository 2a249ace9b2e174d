"""README.md: what it tells people to do works."""

import re
from pathlib import Path

import pytest
from suite_runs import SUITES, run_suite

from gnnbench.record import ExitCode, Outcome

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_backend_of_the_readme_is_right(tmp_path):
    """The example backend, pasted, is put through the equivalence suite and found right."""
    (source,) = re.findall(r"```python\n(# my_plugin\.py.*?)```", README, re.DOTALL)
    code, run = run_suite(tmp_path, "equivalence", "-k", "mine", plant=source)

    assert code == ExitCode.GOOD
    assert run.count(Outcome.PASSED) > 20
    assert all("mine" in result.id for result in run.results)


def test_every_suite_is_in_the_table():
    """A suite that was added is told of."""
    suites = {path.parent.name for path in SUITES.glob("*/__init__.py")}

    assert set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)) >= suites


@pytest.mark.parametrize("name", ["run", "test"])
def test_commands_are_marked(name):
    """The commands that CI takes from the README are there for it to find."""
    block = re.search(rf"^<!-- command: {name} -->\n```sh\n(.+?)\n```$", README, re.MULTILINE | re.DOTALL)

    assert block is not None
    assert block[1].startswith("pip install -c constraints/cpu.txt ")


def test_links_lead_somewhere():
    """Every file that README and docs link to exists."""
    root = Path(__file__).parents[1]
    for page in (root / "README.md", *(root / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

"""suites/precision: what autocast does is judged both ways, and data sets are told absent from corrupt."""

import shutil

import pytest
from suite_runs import outcomes, run_suite

from gnnbench.record import ExitCode

AUTOCAST_WITHOUT_EFFECT = """
import torch
torch.autocast.__init__ = lambda self, kind, **options: _init(self, kind, **{**options, "enabled": False})
""".replace("import torch\n", "import torch\n_init = torch.autocast.__init__\n")

AUTOCAST_TOO_COARSE = """
import gnnbench.reference.layer, torch
from torch import Tensor
matmul = Tensor.__matmul__
def coarse(a, b):
    if torch.is_autocast_enabled("cpu") and a.dtype == torch.float32:
        a = (a * 8).round() / 8
    return matmul(a, b)
Tensor.__matmul__ = coarse
"""

SCALER_NEVER_RECOVERS = """
import torch
step, update = torch.amp.GradScaler.step, torch.amp.GradScaler.update
def skipping(self, optimizer, *args):
    self.calls = getattr(self, "calls", 0) + 1
    return None if self.calls > 20 and self.is_enabled() else step(self, optimizer, *args)
def halving(self, new_scale=None):
    if self.calls > 20 and self.is_enabled():
        self._scale.mul_(0.5)
        for state in self._per_optimizer_states.values():
            state.clear()
        self._per_optimizer_states.clear()
    else:
        update(self, new_scale)
torch.amp.GradScaler.step, torch.amp.GradScaler.update = skipping, halving
"""

NO_NEIGHBOURS = """
import torch
from gnnbench.graphs import Graph
from gnnbench.reference import csr
bind = csr.CsrBackend.bind
def lonely(self, graph, **options):
    return bind(self, Graph(torch.empty(2, 0, dtype=torch.int64), graph.num_nodes), **options)
csr.CsrBackend.bind = lonely
"""


def test_clean(tmp_path):
    """Without a data set the stand-in is trained on, and for the paper's figure the command is named."""
    code, run = run_suite(tmp_path, "precision")

    assert code == ExitCode.GOOD
    assert outcomes(run) == {
        "training/paper[cpu]": "not_applicable",
        "training/first_step[cpu-bf16]": "passed",
        "training/first_step[cpu-fp16]": "not_applicable",
        "training/accuracy[cpu-bf16]": "passed",
        "training/accuracy[cpu-fp16]": "not_applicable",
    }
    paper = next(result for result in run.results if "paper" in result.id)
    assert paper.finding.needs == "dataset:Cora"
    assert "Planetoid" in paper.finding.summary


@pytest.mark.parametrize(
    ("plant", "check", "words"),
    [
        (AUTOCAST_WITHOUT_EFFECT, "first_step", "no effect"),
        (AUTOCAST_TOO_COARSE, "first_step", "loses more"),
        (SCALER_NEVER_RECOVERS, "accuracy", "infinite at any scale"),
    ],
)
def test_faults_are_caught(tmp_path, plant, check, words):
    """A mixed precision that has no effect, loses too much, or stops learning turns its check red."""
    code, run = run_suite(tmp_path, "precision", "-k", f"{check} and bf16", plant=plant)

    assert code == ExitCode.CHECK_FAILED
    assert outcomes(run) == {f"training/{check}[cpu-bf16]": "failed"}
    assert words in run.results[0].finding.cause


def test_paper(tmp_path, planetoid_root):
    """On the real Cora the paper's figure is reached; by a layer that forgets the neighbours it is not."""
    arguments = ["-k", "paper", f"--gnnbench-data={planetoid_root}"]
    good, clean = run_suite(tmp_path, "precision", *arguments)
    bad, planted = run_suite(tmp_path, "precision", *arguments, plant=NO_NEIGHBOURS)

    assert (good, bad) == (ExitCode.GOOD, ExitCode.CHECK_FAILED)
    assert clean.results[0].measurements[0].median > 79
    assert planted.results[0].measurements[0].median < 70


def test_a_corrupt_data_set_fails_and_names_the_file(tmp_path, planetoid_root):
    """A truncated file is no absent data set: it is a failure."""
    shutil.copytree(planetoid_root / "Cora", tmp_path / "data" / "Cora")
    victim = tmp_path / "data" / "Cora" / "raw" / "ind.cora.allx"
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes()[:1000])
    code, run = run_suite(tmp_path, "precision", "-k", "paper", f"--gnnbench-data={tmp_path / 'data'}")

    assert code == ExitCode.CHECK_FAILED
    assert "ind.cora.allx" in run.results[0].finding.found

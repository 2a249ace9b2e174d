"""suites/equivalence, how layers are used: each way to be wrong turns the check red that is meant for it."""

import pytest
from suite_runs import judge_backends, red_checks, run_suite

from gnnbench.record import ExitCode

#: backend → a check that must be red. The clean twin has none.
RED = {
    "u_infer_no_bias": "use/inference",
    "u_infer_widening": "use/inference",
    "u_infer_grad": "use/inference",
    "u_infer_tf32": "use/inference",
    "u_kept": "calls/two_results",
    "u_packed": "calls/changed_operands",
    "u_last_graph": "calls/interleaved",
    "u_backward": "calls/backward_twice",
    "u_zero_rows": "use/masked_loss",
    "u_same_edges": "calls/same_edges",
    "u_float32": "use/float64",
    "u_weight_dtype": "use/weight_dtype",
    "u_seeds": "use/global_state",
    "u_nan": "use/not_finite",
    "u_leaks": "use/not_finite",
    "u_thread": "use/thread",
    "u_columns": "shapes/wide",
    "u_length": "shapes/row_lengths",
    "u_positive": "exact/forward",
    "u_square": "bounded/layer",
    "u_nan_in_weight": "not_finite/operands",
    "u_nan_in_bias": "not_finite/operands",
    "u_nan_in_gradient": "not_finite/operands",
    "u_nan_in_dx": "not_finite/operands",
    "u_nan_in_dw": "not_finite/operands",
    "u_saturates": "not_finite/operands",
    "u_spreads_nan": "not_finite/operands",
    "u_table": "calls/interleaved",
    "u_ring": "calls/interleaved",
    "u_packed_parameter": "calls/changed_operands",
    "u_derived": "calls/changed_operands",
    "u_blocks": "precision/many_rows",
    "u_in_fours": "shapes/views",
    "u_aligned_edges": "relations/edge_storage",
    "u_aligned_weights": "relations/edge_storage",
    "u_remainder": "shapes/wide",
}

SELECTED = (
    "u_ and (test_use or test_calls or test_not_finite or wide or many_rows or views or edge_storage or row_lengths "
    "or exact_plain or exact_negative or two_edges)"
)


@pytest.fixture(scope="module")
def red(tmp_path_factory):
    """backend → the checks it turned red, of one run over all of them."""
    return red_checks(judge_backends(tmp_path_factory.mktemp("use"), "use_backends", SELECTED))


@pytest.mark.parametrize("backend", RED)
def test_its_check_is_red(red, backend):
    """The check that is there for it sees it."""
    assert RED[backend] in red[backend]


def test_the_clean_twin_is_green(red):
    """The same layer without a fault passes all of them; it is float32 whatever it is bound in, and says so."""
    assert red["u_clean"] <= {"use/float64"}


def test_the_oracle_is_judged_itself(tmp_path):
    """An operator that is wrong in float64 too spoils oracle and layers alike, and is told by arithmetic from elsewhere."""
    plant = """
import torch
from gnnbench.faults.dispatch import plant_dispatch

def lose_the_last(func, arguments, named, result):
    if func is torch.ops.aten.index_add_.default and result.dtype == torch.float64 and result.dim() == 2:
        result[arguments[2][-1]] -= arguments[3][-1]
    return result

plant_dispatch(lose_the_last)
"""
    code, run = run_suite(tmp_path, "equivalence", "-k", "test_oracle", plant=plant)

    assert code == ExitCode.CHECK_FAILED
    assert "the float64 oracle is wrong" in run.results[0].finding.summary
    assert run_suite(tmp_path, "equivalence", "-k", "test_oracle")[0] == ExitCode.GOOD

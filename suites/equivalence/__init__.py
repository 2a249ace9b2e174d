"""Every registered backend computes the same GCN layer, forward and backward, on every probe graph.

`test_exact.py` admits no difference at all, `test_bounded.py` what rounding in float32 explains,
`test_precision.py` tells which precision ran, `test_edge_weights.py` judges gradients by edge weights where a
backend has them. `test_operands.py` and `test_state.py` vary what goes in and in
which order.
"""

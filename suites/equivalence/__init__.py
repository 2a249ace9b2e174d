"""Every registered backend computes the same GCN layer, forward and backward, on every probe graph.

`test_exact.py` admits no difference at all, `test_bounded.py` what rounding in float32 explains,
`test_precision.py` tells which precision ran, `test_edge_weights.py` judges gradients by edge weights where a
backend has them. `test_operands.py` and `test_state.py` vary what goes in and in which order,
`test_relations.py` and `test_algebra.py` put a problem otherwise, `test_shapes.py` in every size and layout,
`test_magnitudes.py` and `test_edge_values.py` with other numbers and weights, `test_random.py` on random graphs,
`test_large_index.py` in sizes where 32 bits end, `test_counts.py` where 16 do. `test_conditions.py` has any three
conditions of a call meet, `test_calls.py` and `test_events.py` look at what comes after other calls and after
failures. `test_second_derivatives.py` differentiates twice. `test_weighted_operands.py`, `test_weighted_calls.py`
and `test_weighted_layer.py` ask layers whose edge weights come with each call what the others are asked.
`test_determinism.py` and `test_seeds.py` ask again, `test_soak.py` again and again. `test_sage.py` and `test_gat.py`
judge other layers, `test_primitives.py` the operators beneath all of them.
"""

"""The record: one immutable, versioned document a run. Imports nothing of ours, and never torch."""

from gnnbench.record.codec import DocumentError
from gnnbench.record.counterexample import COUNTEREXAMPLE, REPLAYED, Counterexample, counterexamples
from gnnbench.record.document import dumps, json_schema, load, loads, save, write_atomically
from gnnbench.record.environment import Device, Environment, Fact
from gnnbench.record.measurement import Direction, Margin, Measurement, Scalar
from gnnbench.record.outcome import ExitCode, Outcome, RunState
from gnnbench.record.result import Finding, Result
from gnnbench.record.run import Invocation, Run
from gnnbench.record.verdict import Verdict, verdict

__all__ = [
    "COUNTEREXAMPLE",
    "REPLAYED",
    "Counterexample",
    "Device",
    "Direction",
    "DocumentError",
    "Environment",
    "ExitCode",
    "Fact",
    "Finding",
    "Invocation",
    "Margin",
    "Measurement",
    "Outcome",
    "Result",
    "Run",
    "RunState",
    "Scalar",
    "Verdict",
    "counterexamples",
    "dumps",
    "json_schema",
    "load",
    "loads",
    "save",
    "verdict",
    "write_atomically",
]

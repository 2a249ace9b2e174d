"""What a check can end as, and what a process that ran checks exits with."""

from __future__ import annotations

from enum import Enum, IntEnum


class Outcome(str, Enum):
    """How one check ended.

    Only `PASSED` is a pass. A check that could not run is `INCONCLUSIVE`, or `NOT_APPLICABLE` where
    the machine has nothing the check could judge and nobody said that it must.
    """

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"

    @property
    def label(self) -> str:
        """The outcome in words, for people."""
        return self.value.replace("_", " ")


class RunState(str, Enum):
    """How far a run has come. A document in state `RUNNING` whose process is gone was killed."""

    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"


class ExitCode(IntEnum):
    """Exit codes of the command line and of pytest under the plugin; 2 to 5 are pytest's own."""

    GOOD = 0  #: every check that had to judge did, and found nothing wrong
    CHECK_FAILED = 1  #: at least one check failed
    INTERRUPTED = 2  #: stopped by a person or a signal
    INTERNAL_ERROR = 3  #: gnnbench or pytest itself broke
    USAGE_ERROR = 4  #: the command line, or a file named on it, was wrong
    NO_CHECKS = 5  #: the selection left nothing to run
    REGRESSED = 10  #: performance fell beyond the gate
    INCOMPARABLE = 11  #: the baseline can't be compared with this run
    CONTRACT_UNMET = 12  #: something the image must provide, such as a device, is absent
    INCONCLUSIVE = 13  #: nothing failed, but a judgement that was needed could not be made

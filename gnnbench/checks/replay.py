"""Graphs that an earlier run recorded: which are to run again here, and the command that runs some again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gnnbench.record import Counterexample, counterexamples, load


@dataclass(frozen=True, slots=True)
class Recorded:
    """A graph, who recorded it, and where it is to run."""

    check: str
    counterexample: Counterexample
    device: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What is to run again."""

    document: Path
    check: str = ""
    """Only the graph of the check with this id; empty: all."""

    def graphs(self, devices: Sequence[str] = ()) -> tuple[Recorded, ...]:
        """Each graph on each of `devices`; without them where it was recorded.

        Raises `DocumentError` and `OSError` for a document that can't be read.
        """
        return tuple(
            Recorded(result.id, counterexample, device)
            for result, counterexample in counterexamples(load(self.document))
            if self.check in ("", result.id)
            for device in devices or [counterexample.device]
        )


def replay_command(document: Path, plugins: Iterable[str] = (), *more: str) -> str:
    """The command line that replays `document`, fit to be pasted into a shell."""
    given = [word for name in plugins for word in ("-p", name)]
    return shlex.join(["gnnbench", "replay", str(document), *more, *(["--", *given] if given else [])])

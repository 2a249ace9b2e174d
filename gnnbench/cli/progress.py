"""What a person sees while checks run: one line a finished suite, and one that moves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import IO, Any

import click
from tqdm import tqdm

from gnnbench.record import Outcome

_MARKS = {
    Outcome.PASSED: ("passed", "green"),
    Outcome.FAILED: ("FAILED", "red"),
    Outcome.INCONCLUSIVE: ("inconclusive", "yellow"),
    Outcome.NOT_APPLICABLE: ("not applicable", None),
}


#: Seconds without news before a check that still runs is named.
_PATIENCE_S = 30.0

#: Findings told as they happen; the verdict and the report have all of them.
_TOLD = 10


class Progress:
    """Follows the events of a run. The moving line is drawn on a terminal only.

    Args:
        stream: where to draw; talk goes to stderr.
        color: whether to use colour.
    """

    def __init__(self, stream: IO[str], *, color: bool) -> None:
        self._stream, self._color = stream, color
        self._waiting: Counter[str] = Counter()
        self._done: dict[str, Counter[Outcome]] = {}
        self._seconds: Counter[str] = Counter()
        self._found = 0
        self._check = ""
        self._began = self._spoke = time.monotonic()
        self._bar: Any = tqdm(
            total=None,
            file=stream,
            disable=not stream.isatty(),
            leave=False,
            dynamic_ncols=True,
            desc="starting: importing torch and the suites",
            bar_format="  {desc}",
        )

    def selected(self, ids: Iterable[str]) -> None:
        """It is known which checks are going to run."""
        ids = list(ids)
        self._waiting = Counter(check.partition("/")[0] for check in ids)
        for suite, counts in self._done.items():
            self._waiting[suite] -= sum(counts.values())
        self._bar.bar_format = "  {bar:24} {n_fmt}/{total_fmt} {desc}"
        self._bar.total = len(ids)
        self._bar.set_description_str("", refresh=True)

    def started(self, check: str) -> None:
        """A check began."""
        self._check, self._began = check, time.monotonic()
        self._bar.set_description_str(check, refresh=False)
        # tqdm refreshes on update; a long check must show its name before it ends.
        self._bar.refresh()

    def finished(self, result: dict[str, Any]) -> None:
        """A check ended."""
        suite, outcome = result["suite"], Outcome(result["outcome"])
        counts = self._done.setdefault(suite, Counter())
        counts[outcome] += 1
        self._seconds[suite] += result["duration_s"]
        self._waiting[suite] -= 1
        self._bar.update(1)
        self._found += outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE)
        if outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE) and self._found == _TOLD + 1:
            self._say("    … more are in the verdict and the report")
        elif outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE) and self._found <= _TOLD:
            summary = (result.get("finding") or {}).get("summary", "")[:500]
            word, color = _MARKS[outcome]
            self._say(f"    {self._style(word, color)} {result['id']}\n      {summary}")
        if self._waiting and not self._waiting[suite]:
            self._say(f"  {suite:<14}{self._counts(counts):<46}{self._seconds[suite]:>7.1f} s")

    def tick(self) -> None:
        """Nothing happened: say from time to time what is still waited for, where no line moves."""
        now = time.monotonic()
        waited = now - self._began
        if self._check and waited > _PATIENCE_S and now - self._spoke > _PATIENCE_S:
            self._say(f"    still in {self._check} after {waited:.0f} s")

    def close(self) -> None:
        """Take the moving line away."""
        self._bar.close()

    def _counts(self, counts: Counter[Outcome]) -> str:
        return ", ".join(
            self._style(f"{counts[outcome]} {word}", color)
            for outcome, (word, color) in _MARKS.items()
            if counts[outcome]
        )

    def _style(self, text: str, color: str | None) -> str:
        return click.style(text, fg=color) if self._color and color else text

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        tqdm.write(line, file=self._stream)
        self._stream.flush()

"""The HTML page: one file, offline, complete without JavaScript and without its style sheet.

Strict policies block both, and forges hand out bare files. So: semantic markup, `<details>` for folding,
inline SVG with presentation attributes only, and no reference to anything outside.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from gnnbench.record import Run, verdict
from gnnbench.report import charts as figures
from gnnbench.report import findings, headline, margins, measurements, page, quantity, text, vega
from gnnbench.report.limits import LADDER, Limits, part
from gnnbench.report.proofs import proofs_of

if TYPE_CHECKING:
    import jinja2

#: A page is smaller than this, whatever the run.
MAX_BYTES = 1_000_000
#: Figures of measurements; further measurements stand in tables.
MAX_FIGURES = 12

_SHORT = 24
_CODE = re.compile(r"`([^`\n]+)`")


def render_html(run: Run, *, charts: bool = True) -> str:
    """The page as text, below `MAX_BYTES` bytes of UTF-8.

    Args:
        run: finished or not.
        charts: draw them where the extra `report` is installed; without it the tables say the same.
    """
    gathered = _gather(run, charts=charts)
    rendered = ""
    for limits in LADDER:
        rendered = _render(gathered, limits)
        if len(rendered.encode("utf-8", "backslashreplace")) < MAX_BYTES:
            break
    return rendered


def warm_up() -> bool:
    """Load what a page needs and start the renderer of its charts, which takes a second once a process.

    Meant for a thread while something else is waited for: the renderer leaves Python's lock free. Not
    beside anything that is timed on the same cores. Returns whether charts can be drawn.
    """
    templates().get_template("report.html.j2")
    try:
        vega.draw({"data": {"values": [{"x": 0}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}, "")
    except Exception:
        # Charts are an extra: a renderer that can't start must not end a run.
        return False
    return True


def _gather(run: Run, *, charts: bool) -> page.Page:
    judged, compared, series = verdict(run), margins.margins_of(run), measurements.series_of(run)
    figure, series_figures, note = "", [""] * len(series), ""
    if charts and not vega.available():
        note = "Charts are drawn where the extra is installed: `pip install 'gnnbench[report]'`."
    elif charts:
        try:
            figure, series_figures = _draw(compared, series)
        except Exception as error:
            # A chart is an extra; the tables say the same.
            note = f"The charts could not be drawn: {text.one_line(str(error))[:200]}"
    return page.Page(
        run=run,
        verdict=judged,
        failed=page.failed_groups(judged),
        unjudged=page.unjudged_groups(run),
        suites=page.suites_of(run),
        margins=compared,
        margins_figure=figure,
        series=tuple(zip(series, series_figures, strict=True)),
        chart_note=note if compared.count or series else "",
        proofs=proofs_of(run),
    )


def _draw(compared: margins.Margins, series: tuple[measurements.Series, ...]) -> tuple[str, list[str]]:
    figure = ""
    if compared.count:
        label = "Error divided by bound of every numeric comparison, one strip a source; the table has the numbers."
        figure = vega.draw(figures.margins_figure(compared), label)
    drawn: list[str] = []
    for one in series:
        # A single bar says no more than its number.
        wanted = len(one.rows) > 1 and sum(map(bool, drawn)) < MAX_FIGURES
        label = f"{one.title} of {text.one_line(one.workload)}; the table has the numbers."
        drawn.append(vega.draw(figures.series_figure(one), label) if wanted else "")
    return figure, drawn


def _render(gathered: page.Page, limits: Limits) -> str:
    template = templates().get_template("report.html.j2")
    return template.render(
        page=gathered,
        run=gathered.run,
        limits=limits,
        cut=partial(text.clip, limit=limits.text),
        cut_log=partial(text.clip_log, limit=limits.log),
        command_alone=partial(findings.command_alone, gathered.run),
        part=part,
    )


def _code(match: re.Match[str]) -> str:
    # An option such as `--require` must not break after its hyphens; a long command must break somewhere.
    short = ' class="short"' if len(match[1]) <= _SHORT else ""
    return f"<code{short}>{match[1]}</code>"


@lru_cache(maxsize=1)
def templates() -> jinja2.Environment:
    """The templates of every page, with their filters: whatever they print is escaped and printable."""
    import jinja2
    from markupsafe import Markup, escape

    def prose(value: str) -> Markup:
        """Text with `code` in backticks as code."""
        escaped = str(escape(text.clean(value)))
        return Markup(_CODE.sub(_code, escaped))  # noqa: S704 - escaped in the line above

    def breaks(value: str) -> Markup:
        """A path that may break after its slashes."""
        return Markup(str(escape(text.clean(value))).replace("/", "/<wbr>"))  # noqa: S704 - as above

    def printable(value: Any) -> Any:
        """Whatever a template prints passes through here: nothing unprintable reaches a page."""
        return text.clean(value) if type(value) is str else value

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gnnbench.report"),
        autoescape=True,
        finalize=printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        prose=prose,
        breaks=breaks,
        drawing=Markup,
        number=quantity.number,
        duration=quantity.duration,
        moment=quantity.moment,
        plural=text.plural,
        words=text.one_line,
        quantity=lambda value, unit: quantity.quantity(value, unit),
    )
    environment.globals.update(
        answer=headline.answer,
        tone=headline.tone,
        machine=headline.machine,
        reasons=headline.reasons,
        advice=headline.advice,
        command_again=findings.command_again,
        finding_of=findings.finding_of,
        variant=findings.variant,
        value_text=page.value_text,
        has_comparable=page.has_comparable,
    )
    return environment

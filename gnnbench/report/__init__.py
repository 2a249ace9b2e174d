"""The report: what a run amounts to, for people and for CI. Reads a Run document and nothing else.

Never imports torch. Jinja2 and vl-convert are imported only when a page or a chart is made.
"""

from gnnbench.report.files import FORMATS, file_names, write_reports
from gnnbench.report.github import annotation_lines, append_step_summary
from gnnbench.report.html import render_html, warm_up
from gnnbench.report.junit import render_junit
from gnnbench.report.markdown import render_markdown
from gnnbench.report.terminal import terminal_verdict

__all__ = [
    "FORMATS",
    "annotation_lines",
    "append_step_summary",
    "file_names",
    "render_html",
    "render_junit",
    "render_markdown",
    "terminal_verdict",
    "warm_up",
    "write_reports",
]

"""Two documents side by side, for a terminal, a pull request and a browser."""

from gnnbench.report.diff.files import write_diff
from gnnbench.report.diff.html import render_diff_html
from gnnbench.report.diff.markdown import render_diff_markdown
from gnnbench.report.diff.summary import diff_summary
from gnnbench.report.diff.terminal import render_diff_text

__all__ = ["diff_summary", "render_diff_html", "render_diff_markdown", "render_diff_text", "write_diff"]

"""A run and an invocation as documents: JUnit, JSON, Markdown, HTML, console. Pure functions from values to text."""

from meshkit_chaos.report.console import ConsoleLines, verdict_table
from meshkit_chaos.report.html import html_report
from meshkit_chaos.report.jsondoc import verdict_json, verdict_schema_json
from meshkit_chaos.report.junit import junit_xml
from meshkit_chaos.report.markdown import summary
from meshkit_chaos.report.model import InvocationReport, Plot, RunReport, durations, run_report

__all__ = [
    "ConsoleLines",
    "InvocationReport",
    "Plot",
    "RunReport",
    "durations",
    "html_report",
    "junit_xml",
    "run_report",
    "summary",
    "verdict_json",
    "verdict_schema_json",
    "verdict_table",
]

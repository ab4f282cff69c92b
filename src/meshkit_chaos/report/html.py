"""An invocation as ``report.html``: one file that needs nothing else. Pure.

Takes an ``InvocationReport``, gives HTML that loads nothing from anywhere: styles and the few lines of script are inside,
allowed by their digests in a Content-Security-Policy that forbids all else. Every text is escaped by the template engine; an
undefined name in a template is an error, never an empty place.
"""

from __future__ import annotations

import base64
import functools
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.escape import one_line, visible
from meshkit_chaos.report.model import InvocationReport
from meshkit_chaos.report.view import run_views, scenario_rows
from meshkit_chaos.report.wording import ENVIRONMENT, MEANING, WORD, counts, exit_meaning


def html_report(report: InvocationReport) -> str:
    """Write the document."""
    invocation = report.invocation
    tested = [(one_line(key), one_line(value)) for key, value in invocation.subject.items()]
    classes = dict.fromkeys(run.environment_class for run in invocation.runs if run.environment_class)
    text = _template().render(
        invocation=invocation,
        sentence=one_line(invocation.sentence),
        identity=one_line(invocation.invocation),
        exit_meaning=exit_meaning(invocation),
        environment=ENVIRONMENT[invocation.environment],
        environment_classes=", ".join(one_line(name) for name in classes) or "not recorded",
        counts=counts(repetition.verdict for repetition in invocation.scenarios),
        run_count=counted(len(invocation.runs), "run"),
        scenario_count=counted(len(invocation.scenarios), "scenario"),
        subject=tested,
        scenarios=scenario_rows(report),
        runs=run_views(report),
        recover=one_line(report.recover),
        words=WORD,
        meanings=MEANING,
        css=_styles(),
        js=_script(),
        policy=content_security_policy(),
    )
    return visible(text) + "\n"


def content_security_policy() -> str:
    """Nothing may be loaded; our own style and script are known by their digests."""
    style, script = _digest(_styles()), _digest(_script())
    return f"default-src 'none'; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("meshkit_chaos.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template() -> Template:
    return _environment().get_template("report.html.j2")


@functools.cache
def _asset(name: str) -> Markup:
    """A file of ours from beside the template, as it is."""
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, name)
    return Markup(source)  # noqa: S704  # our own file, never a document's text


def _styles() -> Markup:
    """What the report shares with the dashboard, then its own."""
    return _asset("shared.css") + _asset("report.css")


def _script() -> Markup:
    """What the report shares with the page of a run, nothing else."""
    return _asset("report.js") + _asset("zoom.js")

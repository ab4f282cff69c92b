"""The end of every command that judges: documents written, the table printed, the exit code."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click

from meshkit_chaos.campaign.campaign import write_derived
from meshkit_chaos.campaign.results import Results
from meshkit_chaos.cli.app import admit, say
from meshkit_chaos.environments.secrets import HIDES_NOTHING, Redactor
from meshkit_chaos.judge.exit_code import exit_code
from meshkit_chaos.report.console import verdict_table
from meshkit_chaos.report.html import html_report
from meshkit_chaos.report.jsondoc import verdict_json
from meshkit_chaos.report.junit import junit_xml
from meshkit_chaos.report.markdown import summary
from meshkit_chaos.report.model import InvocationReport, RunReport, durations, run_report

DOCUMENTS = ("verdict.json", "junit.xml", "summary.md", "report.html")


def makers(results: Results, *, recover: str) -> dict[str, Callable[[], bytes]]:
    """How each derived document is made, by its name. Nothing is derived before the first that needs it is made."""

    @functools.cache
    def runs() -> tuple[RunReport, ...]:
        both = zip(results.records, results.verdict.runs, strict=True)
        return tuple(run_report(record, verdict) for record, verdict in both if record is not None)

    def report() -> InvocationReport:
        return InvocationReport(invocation=results.verdict, runs=runs(), file=results.started.file, recover=recover)

    return {
        "verdict.json": lambda: verdict_json(results.verdict),
        "junit.xml": lambda: junit_xml(results.verdict, durations=durations(runs())),
        "summary.md": lambda: summary(results.verdict, file=results.started.file, recover=recover).encode(),
        "report.html": lambda: html_report(report()).encode(),
    }


def write_documents(out: Path, results: Results, *, recover: str, redactor: Redactor = HIDES_NOTHING) -> list[tuple[str, str]]:
    """Write all derived documents; their names and places. One that cannot be made or written is said and left out.

    ``redactor``: of a record that a secret leaked into, the documents do not tell it on.
    """
    places = []
    for name, make in makers(results, recover=recover).items():
        try:
            write_derived(out / name, redactor.data(make()))
        except OSError as error:
            say(f"{out / name} could not be written: {error.strerror}; `meshkit-chaos report {out}` writes it again")
            continue
        except Exception as error:  # noqa: BLE001  # an error of ours in one document takes neither the others nor the verdict
            admit(error)
            continue
        places.append((name.partition(".")[0], str(out / name)))
    return places


def show(results: Results, places: list[tuple[str, str]], *, form: str, recover: str) -> int:
    """Print the verdict (data, on stdout) and give the exit code, which stands whether anybody reads to the end or not."""
    width = shutil.get_terminal_size((100, 24)).columns
    table = verdict_table(results.verdict, colour=coloured(), width=width, reports=places, recover=recover)
    try:
        click.echo(verdict_json(results.verdict) if form == "json" else table, nl=False)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            say(f"the verdict could not be printed: {error.strerror}")
    return exit_code(results.verdict)


def coloured() -> bool:
    """Colour only for people at a terminal who did not say no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

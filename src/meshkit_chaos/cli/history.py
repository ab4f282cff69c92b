"""``history``: what earlier runs said. Here the group, taking results in, and looking at them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import derived_documents, open_history, placed
from meshkit_chaos.cli.options import FORMAT, json_text, pairs
from meshkit_chaos.errors import ChaosError, UsageError
from meshkit_chaos.history.comparing import compare
from meshkit_chaos.history.index import History
from meshkit_chaos.history.model import Ask, PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report.past import compared_lines, invocation_lines, mark_line, run_lines, trend_lines, whole_lines
from meshkit_chaos.slo.codec import builtins

PROBLEMS: Final = 2
_HOW: Final = {
    "new": "taken in",
    "grew": "taken in: it grew",
    "known": "known already",
    "older": "an earlier state of what is known",
}


class _Group(Group):
    """The commands of this module, and those that move and keep histories, which stand in modules of their own."""

    _more: Final = {
        **dict.fromkeys(("export", "push", "pull"), "history_travel"),
        **dict.fromkeys(("prune", "rebuild", "verify", "invalidate"), "history_care"),
        "lease": "history_lease",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._more]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._more:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(f"meshkit_chaos.cli.{self._more[cmd_name]}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command


@click.group("history", cls=_Group, epilog="Example: meshkit-chaos history import results && meshkit-chaos history list")
def history_command() -> None:
    """Keep what runs said, look at it, and carry it between machines."""


@history_command.command("import", epilog="Example: meshkit-chaos history import chaos-results/20260101-020000")
@click.argument("outs", metavar="OUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@placed
@FORMAT
def import_command(outs: tuple[Path, ...], history: str, artifacts: str | None, form: str) -> int:
    """Take in the results folders OUT. Doing it twice is as good as once; a run that grew is taken in again.
    Nobody is told: `notify send` takes results in and tells people of them.

    Ends with 2 if a folder could not be taken in; the others are, all the same.
    """
    told: list[dict[str, str]] = []
    with open_history(history, artifacts=artifacts, make=True) as opened:
        for out in outs:
            try:
                added = opened.add(out, documents=derived_documents)
            except ChaosError as error:
                say(f"{out}: refused: {error.message}\nhint: {error.hint}")
                told.append({"out": str(out), "how": "refused", "why": error.message})
                continue
            told.append({"out": str(out), "how": added.how, "invocation": added.invocation, "bundle": added.bundle})
    taken = [one for one in told if one["how"] != "refused"]
    if form == "json":
        click.echo(json_text(told))
    else:
        for one in taken:
            click.echo(f"{one['invocation']}  {_HOW[one['how']]}  {one['out']}")
    return 0 if len(taken) == len(told) else PROBLEMS


@history_command.command("list", epilog="Example: meshkit-chaos history list --subject branch=main --limit 5")
@placed
@click.option("--subject", metavar="KEY=VALUE", multiple=True, help="Only with this in the subject; repeatable.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many, the newest.")
@FORMAT
def list_command(history: str, artifacts: str | None, subject: tuple[str, ...], limit: int, form: str) -> int:
    """List invocations, newest first."""
    wanted = pairs(subject, option="--subject").items()
    with open_history(history, artifacts=artifacts) as opened:
        found = [one for one in opened.invocations() if wanted <= one.subject.items()]
    if form == "json":
        click.echo(json_text(builtins(found[:limit])))
        return 0
    for line in invocation_lines(found[:limit]) if found else ():
        click.echo(line)
    if len(found) > limit:
        say(f"{counted(len(found) - limit, 'older invocation')} not shown; --limit shows more")
    elif not found:
        say("no invocation")
    return 0


@history_command.command("show", epilog="Example: meshkit-chaos history show latest")
@click.argument("name", metavar="INVOCATION|RUN|latest")
@placed
@FORMAT
def show_command(name: str, history: str, artifacts: str | None, form: str) -> int:
    """Show one invocation, or one run, with every objective."""
    with open_history(history, artifacts=artifacts) as opened:
        invocation, scenarios = _whole(opened, name)
        marks = opened.marks(name)
    runs = [run for one in scenarios for run in one.runs if run.run == name]
    if form == "json":
        whole = {"invocation": builtins(invocation), "scenarios": builtins(scenarios)}
        click.echo(json_text({**builtins(runs[0]), "marks": marks} if runs else whole))
        return 0
    lines = [line for run in runs for line in run_lines(run)] or whole_lines(invocation, scenarios)
    lines += [mark_line(mark) for mark in marks]
    click.echo("\n".join(lines))
    return 0


def _whole(opened: History, name: str) -> tuple[PastInvocation, tuple[PastScenario, ...]]:
    """An invocation by its own ULID, by that of one of its runs, or the newest. Raises UsageError."""
    if name == "latest":
        newest = opened.invocations()
        name = newest[0].invocation if newest else name
    found = opened.invocation(opened.invocation_of_run(name) or name)
    if found is None:
        raise UsageError(f"{name} is no invocation and no run of this history", hint="`meshkit-chaos history list` shows them")
    return found


@history_command.command("trend", epilog="Example: meshkit-chaos history trend leader-killed --limit 30")
@click.argument("scenario")
@placed
@click.option("--objective", help="Only this objective.")
@click.option("--subject", metavar="KEY=VALUE", multiple=True, help="Only with this in the subject; repeatable.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many results, the newest.")
@FORMAT
def trend_command(
    scenario: str,
    history: str,
    artifacts: str | None,
    objective: str | None,
    subject: tuple[str, ...],
    limit: int,
    form: str,
) -> int:
    """Show the times of SCENARIO over its runs. Runs that people marked invalid are shown as such."""
    wanted = pairs(subject, option="--subject")
    with open_history(history, artifacts=artifacts) as opened:
        found = opened.results(Ask(scenarios=(scenario,), subject=wanted, newest=limit, invalidated=True))
        known = () if found else opened.known()
    if not found:
        there = ", ".join(one.scenario for one in known) or "none"
        raise UsageError(f"there is no such result of the scenario {scenario!r}", hint=f"known scenarios: {there}")
    names = {one.name for past in found for run in past.runs for one in run.objectives}
    if objective is not None and objective not in names:
        raise UsageError(f"{scenario} has no objective {objective!r}", hint=f"there are: {', '.join(sorted(names)) or 'none'}")
    click.echo(
        json_text(_trend_data(found, objective)) if form == "json" else "\n".join(trend_lines(scenario, found, objective))
    )
    return 0


def _trend_data(found: tuple[PastScenario, ...], objective: str | None) -> list[dict[str, Any]]:
    return [
        {"at": past.at, "invocation": past.invocation, "run": run.run, "subject": past.subject, "invalidated": run.invalidated}
        | builtins(one)
        for past in reversed(found)
        for run in past.runs
        for one in run.objectives
        if objective in (None, one.name)
    ]


@history_command.command("compare", epilog="Example: meshkit-chaos history compare version=1.4.1 version=1.4.2")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@placed
@FORMAT
def compare_command(before: str, after: str, history: str, artifacts: str | None, form: str) -> int:
    """Put A and B side by side: verdicts and times. Each is an invocation, a run, `latest`, or KEY=VALUE of a subject.

    For a subject, the newest result of each scenario counts.
    """
    with open_history(history, artifacts=artifacts) as opened:
        told = compare(_results(opened, before), _results(opened, after))
    click.echo(json_text(builtins(told)) if form == "json" else "\n".join(compared_lines(told, names=(before, after))))
    return 0


def _results(opened: History, name: str) -> tuple[PastScenario, ...]:
    if "=" not in name:
        import msgspec  # noqa: PLC0415  # only here

        _, scenarios = _whole(opened, name)
        of_run = [(one, run) for one in scenarios for run in one.runs if run.run == name]
        return tuple(msgspec.structs.replace(one, runs=(run,), objectives={}) for one, run in of_run) or scenarios
    found = opened.results(Ask(subject=pairs([name], option="subject"), newest=1))
    if not found:
        raise UsageError(f"no result has the subject {name}", hint="`meshkit-chaos history list` shows subjects")
    return found

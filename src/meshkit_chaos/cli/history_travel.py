"""``history export | push | pull``: histories on their way to other machines, and back into results folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshkit_chaos.campaign.campaign import write_derived
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.histories import derived_documents, open_history, placed
from meshkit_chaos.cli.history import PROBLEMS
from meshkit_chaos.cli.options import FORMAT, duration, json_text
from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history.bundles import spread, unpack
from meshkit_chaos.history.index import no_documents
from meshkit_chaos.history.logs import read_logs
from meshkit_chaos.history.travel import Moved, pull, push
from meshkit_chaos.judge.phrases import counted

if TYPE_CHECKING:
    from meshkit_chaos.history.index import History

_REMOTE = click.argument("remote", metavar="REMOTE")


@click.command("push", epilog="Example: meshkit-chaos history push git:origin#chaos-history")
@_REMOTE
@placed
@FORMAT
def push_command(remote: str, history: str, artifacts: str | None, form: str) -> int:
    """Put what REMOTE lacks there: a folder, s3://bucket/prefix, or git:PATH-OR-URL#branch. Nothing there is changed.

    A branch is made if it is not there; it has no common history with the source code. Pushes at the same time are put one
    on top of the other.
    """
    from meshkit_chaos.history.places import opened_shelf  # noqa: PLC0415  # only here

    with open_history(history, artifacts=artifacts) as opened, opened_shelf(remote) as shelf:
        return _tell(push(opened, shelf), f"pushed to {shelf.where}", form)


@click.command("pull", epilog="Example: meshkit-chaos history pull git:origin#chaos-history")
@_REMOTE
@placed
@click.option("--since", metavar="DURATION", help="Only invocations that are no older, such as 90d: every one is judged again.")
@click.option("--documents", is_flag=True, help="Make the report and the other documents of each, too.")
@FORMAT
def pull_command(remote: str, history: str, artifacts: str | None, since: str | None, documents: bool, form: str) -> int:
    """Take in what REMOTE has and this history does not. What was pruned here stays away.

    A bundle that was altered is refused by name and the rest is taken in; the command then ends with 2.
    """
    from meshkit_chaos.history.places import opened_shelf  # noqa: PLC0415  # only here

    with open_history(history, artifacts=artifacts, make=True) as opened, opened_shelf(remote) as shelf:
        oldest = opened.clock.wall_ns() - duration(since, option="--since").ns if since else 0
        make = derived_documents if documents else no_documents
        return _tell(pull(opened, shelf, since=oldest, documents=make), f"pulled from {shelf.where}", form)


def _tell(moved: Moved, what: str, form: str) -> int:
    for name, why in moved.refused:
        say(f"{name}: refused: {why}")
    if form == "json":
        refused = [{"name": name, "why": why} for name, why in moved.refused]
        told = {"invocations": moved.invocations, "marks": moved.marks, "deliveries": moved.deliveries, "logs": moved.logs}
        click.echo(json_text({**told, "refused": refused}))
    else:
        records = f", {counted(moved.deliveries, 'delivery record')}" if moved.deliveries else ""
        records += f", logs of {moved.logs}" if moved.logs else ""
        click.echo(f"{counted(moved.invocations, 'invocation')} and {counted(moved.marks, 'mark')}{records} {what}")
    return PROBLEMS if moved.refused else 0


def _logs(history: History, invocation: str) -> Mapping[str, bytes]:
    """Their want is no problem, and altered ones are none of the evidence's."""
    try:
        logs = read_logs(history.database, history.store, invocation)
    except HistoryProblem as problem:
        say(f"{invocation}: its logs are left out: {problem.message}")
        return {}
    return logs.data if logs is not None else {}


@click.command("export", epilog="Example: meshkit-chaos history export old-results 01KDVDNA006AZDBMR4JV1NWV0A")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("names", metavar="[INVOCATION]...", nargs=-1)
@placed
@FORMAT
def export_command(folder: Path, names: tuple[str, ...], history: str, artifacts: str | None, form: str) -> int:
    """Write invocations (all, where none is named) as results folders DIR/INVOCATION, which judge, report and import read."""
    with open_history(history, artifacts=artifacts) as opened:
        bundles = opened.bundles()
        if unknown := [name for name in names if name not in bundles]:
            raise UsageError(f"{unknown[0]} is no invocation of this history", hint="`meshkit-chaos history list` shows them")
        chosen = names or tuple(sorted(bundles))
        if taken := [name for name in chosen if (folder / name).exists()]:
            raise UsageError(f"{folder / taken[0]} is there already", hint="name another folder: results are never mixed")
        for name in chosen:
            spread(unpack(bundles[name], opened.store.read(bundles[name])), folder / name)
            spread(_logs(opened, name), folder / name)
            for row in opened.documents(name):
                of = row["digest"]
                write_derived(folder / name / row["name"], opened.store.read(f"sha256/{of[:2]}/{of[2:]}"))
    if form == "json":
        click.echo(json_text([str(folder / name) for name in chosen]))
    else:
        click.echo(f"{counted(len(chosen), 'invocation')} written below {folder}")
    return 0

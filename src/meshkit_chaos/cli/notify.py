"""``notify``: who is told what. Here the group, looking at what waits, and settling what the program must not decide alone."""

from __future__ import annotations

import getpass
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from meshkit_chaos.cli.app import USAGE, say
from meshkit_chaos.cli.groups import Group
from meshkit_chaos.cli.histories import open_history, placed
from meshkit_chaos.cli.notify_channels import ROUTES_OPTION, UNDELIVERED, entry_data, keep_records
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.cli.reading import read_document
from meshkit_chaos.errors import UsageError
from meshkit_chaos.judge.phrases import counted

if TYPE_CHECKING:
    from meshkit_chaos.deliver.outbox import Entry, How


class _Group(Group):
    """The commands of this module, and those that send or show what would be sent, which stand in modules of their own."""

    _more: Final = {
        **dict.fromkeys(("send", "flush", "watch", "test"), "notify_sending"),
        "preview": "notify_preview",
        "listen": "notify_listen",
        "init": "notify_init",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._more, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._more:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(f"meshkit_chaos.cli.{self._more[cmd_name]}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command


@click.group("notify", cls=_Group, epilog="Example: meshkit-chaos notify send results --routes chaos-notify.yaml")
def notify_command() -> None:
    """Tell people, and open tickets: once, and where the routes file says. What cannot be delivered is kept and seen."""


@notify_command.command("status", epilog="Example: meshkit-chaos notify status --all")
@placed
@click.option("--all", "every", is_flag=True, help="Also what was delivered, replaced or given up.")
@FORMAT
def status_command(history: str, artifacts: str | None, every: bool, form: str) -> int:
    """List what waits, what did not arrive, and what nobody knows of. Ends with 2 if there is anything that should have
    arrived.
    """
    from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # start-up time

    with open_history(history, artifacts=artifacts) as opened:
        outbox = Outbox(opened.database)
        now, entries = outbox.instant(), outbox.entries()
    shown = [one for one in entries if every or one.undelivered(now) or one.told.state == "pending"]
    wrong = sum(one.undelivered(now) for one in entries)
    if form == "json":
        click.echo(json_text([entry_data(one, now) for one in shown]))
    else:
        for line in _lines(shown):
            click.echo(line)
        delivered = sum(one.told.state == "delivered" for one in entries)
        say(f"{delivered} delivered, {counted(len(shown), 'row')} shown, {wrong} not where they should be")
    return UNDELIVERED if wrong else 0


def _lines(entries: list[Entry]) -> list[str]:
    from meshkit_chaos.report.past import columns, when  # noqa: PLC0415  # start-up time

    rows = [
        (
            when(one.told.action.at),
            "held" if one.held else one.told.became,
            one.told.action.channel,
            one.told.action.occasion,
            str(one.told.attempts),
            one.told.action.message.title,
            one.told.action.key,
            one.told.error,
        )
        for one in entries
    ]
    head = ("when (UTC)", "state", "channel", "occasion", "tried", "title", "key", "why")
    return columns([head, *rows]) if rows else []


@notify_command.command("resolve", epilog="Example: meshkit-chaos notify resolve v1:9f2c01 --sent")
@click.argument("key")
@placed
@click.option("--sent", "how", flag_value="sent", help="It arrived: never send it again.")
@click.option("--again", "how", flag_value="again", help="It did not arrive, or may arrive twice: send it at the next flush.")
@click.option("--drop", "how", flag_value="drop", help="It need not arrive any more.")
@click.option(
    "--reference", default="", metavar="ID", help="With --sent: what the channel calls it, such as a ticket's number."
)
@click.option("--by", help="Who says so.  [default: the user's name]")
def resolve_command(key: str, history: str, artifacts: str | None, how: How | None, reference: str, by: str | None) -> int:
    """Settle KEY by hand: what is held because nobody can tell whether it arrived, what was given up, or what still waits."""
    from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # start-up time

    if how is None:
        raise UsageError("say what became of it", hint="--sent, --again or --drop")
    if reference and how != "sent":
        raise UsageError("--reference belongs to --sent")
    with open_history(history, artifacts=artifacts) as opened:
        Outbox(opened.database).resolve(key, how, by=by or _user(), reference=reference)
        keep_records(opened, frozenset({key}))
    say({"sent": f"{key} arrived", "again": f"{key} is sent at the next flush", "drop": f"{key} is given up"}[how])
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


@notify_command.command("lint", epilog="Example: meshkit-chaos notify lint --routes chaos-notify.yaml")
@ROUTES_OPTION
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
def lint_command(routes: Path, form: str) -> int:
    """Check the routes file: channels, owners, what nobody would be told. Asks nobody and reads no secret."""
    from meshkit_chaos.deliver.load import load_routing  # noqa: PLC0415  # start-up time
    from meshkit_chaos.scenario.render import github_annotations, render_problems  # noqa: PLC0415  # start-up time
    from meshkit_chaos.slo.codec import builtins  # noqa: PLC0415  # start-up time

    data = read_document(routes)
    loaded = load_routing(data, path=str(routes))
    if form == "json":
        import dataclasses  # noqa: PLC0415  # start-up time

        click.echo(json_text(builtins([dataclasses.asdict(problem) for problem in loaded.problems])))
    elif loaded.problems:
        text = (
            github_annotations(loaded.problems) if form == "github" else render_problems(loaded.problems, {str(routes): data})
        )
        click.echo(text, nl=False)
    say(f"{routes}: {counted(len(loaded.problems), 'finding')}")
    return USAGE if loaded.value is None else 0

"""``notify preview``: exactly what ``notify send`` would send, where and why; without sending, writing or reading a secret."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.histories import open_history, placed
from meshkit_chaos.cli.notify_channels import ROUTES_OPTION, Ways, open_channel, read_routes
from meshkit_chaos.cli.notify_deciding import DECISION, OVERRIDES_OPTION, by_decisions, by_results
from meshkit_chaos.cli.notify_sending import known_invocation
from meshkit_chaos.cli.options import FORMAT, json_text
from meshkit_chaos.errors import CannotRun, HistoryProblem, UsageError
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.deliver.action import Action, Told
    from meshkit_chaos.deliver.explaining import Explained
    from meshkit_chaos.deliver.sending import Rendered, Sender
    from meshkit_chaos.deliver.settings import Routing
    from meshkit_chaos.history.index import Derived, History
    from meshkit_chaos.scenario.metric_sources import SecretRef


@click.command("preview", epilog="Example: meshkit-chaos notify preview results --routes chaos-notify.yaml")
@click.argument("results", metavar="[RESULTS|INVOCATION]...", nargs=-1)
@DECISION
@OVERRIDES_OPTION
@ROUTES_OPTION
@placed
@click.option("--explain", is_flag=True, help="Also say of each route whether it takes what was seen, and why not.")
@FORMAT
def preview_command(
    results: tuple[str, ...],
    decisions: tuple[Path, ...],
    overrides: Path | None,
    routes: Path,
    history: str,
    artifacts: str | None,
    explain: bool,
    form: str,
) -> int:
    """Show what `notify send` with the same arguments would send: to which channel, why, and how much of its budget it takes.

    Decides by the history as it is now, where there is one. Nothing is sent, written or kept, and no secret is read.
    """
    if not results and not decisions:
        raise UsageError("there is nothing to tell", hint="name results folders, invocations, or a --decision")
    ways = read_routes(routes)
    later = by_decisions(ways.routing, decisions, overrides)
    with _history(history, artifacts) as opened:
        from meshkit_chaos.deliver.ingesting import rehearsed  # noqa: PLC0415  # start-up time

        folders = [_derived(Path(one)) for one in results if Path(one).is_dir()]
        known = [known_invocation(opened, one) for one in results if not Path(one).is_dir()]
        decided, threads = rehearsed(opened, folders, known, by_results(ways.routing), later)
        answers = _explained(opened, folders, known, ways.routing) if explain else ()
    shown = _rendered(ways, decided.new, threads)
    if form == "json":
        messages = [_data(action, rendered, why) for action, rendered, why in shown]
        click.echo(json_text({"messages": messages, "explained": builtins(answers)} if explain else messages))
    else:
        for action, rendered, why in shown:
            click.echo("\n".join(_lines(action, rendered, why)) + "\n")
        for answer in answers:
            click.echo("\n".join(_answer_lines(answer)))
    say(f"{counted(len(decided.new), 'message')} would be sent, {len(decided.known)} decided before")
    return 0


@contextlib.contextmanager
def _history(location: str, artifacts: str | None) -> Iterator[History]:
    """The history as it is; an empty one that is gone afterwards where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(open_history(location, artifacts=artifacts))
        except HistoryProblem:
            if "://" in location or Path(location).exists():
                raise
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="meshkit-chaos-"))
            opened = stack.enter_context(open_history(f"{scratch}/history", make=True))
        yield opened


def _explained(opened: History, folders: Sequence[Derived], known: Sequence[str], routing: Routing) -> tuple[Explained, ...]:
    from meshkit_chaos.deliver.explaining import explained  # noqa: PLC0415  # start-up time

    held = [whole for name in known if (whole := opened.invocation(name)) is not None]
    every = [*((one.invocation, one.scenarios) for one in folders), *held]
    return tuple(one for whole in every for one in explained(*whole, history=opened, routing=routing))


def _answer_lines(answer: Explained) -> list[str]:
    from meshkit_chaos.report.escape import visible  # noqa: PLC0415  # start-up time

    note = f" (quiet: {answer.quiet})" if answer.quiet else " (no route takes it)" if answer.untold else ""
    head = f"{answer.occasion}: {answer.what}{note}"
    routes = [f"  {'takes it' if one.taken else 'does not'}  {one.route}: {one.why}" for one in answer.matches]
    return [visible(line.replace("\n", " ")) for line in (head, *routes)]


def _derived(out: Path) -> Derived:
    """Raises HistoryProblem where the folder holds no invocation."""
    from meshkit_chaos.history.bundles import collect  # noqa: PLC0415  # start-up time
    from meshkit_chaos.history.evidence import LOG  # noqa: PLC0415  # start-up time
    from meshkit_chaos.history.index import derive  # noqa: PLC0415  # start-up time

    evidence = collect(out)
    if LOG not in evidence:
        raise HistoryProblem(f"{out} holds no {LOG}", hint="name the folder that was given as --out")
    return derive(evidence)


def _rendered(
    ways: Ways, actions: Sequence[Action], threads: dict[tuple[str, str], tuple[Told, ...]]
) -> list[tuple[Action, Rendered | None, str]]:
    """Each action as its channel would send it; or why that cannot be said."""
    found: list[tuple[Action, Rendered | None, str]] = []
    senders: dict[str, Sender] = {}
    unread = _unread(ways)
    try:
        for action in actions:
            try:
                if action.channel not in senders:
                    senders[action.channel] = open_channel(
                        unread, action.channel, elsewhere={"GITHUB_REPOSITORY": "OWNER/NAME"}
                    )
            except CannotRun as error:
                found.append((action, None, error.message))
                continue
            thread = threads.get((action.channel, action.thread), ())
            found.append((action, senders[action.channel].render(action, thread), ""))
    finally:
        for sender in senders.values():
            sender.close()
    return found


def _unread(ways: Ways) -> Ways:
    """The same with stand-ins for all secrets."""
    from meshkit_chaos.measure.access import Secrets  # noqa: PLC0415  # start-up time

    class Unread(Secrets):
        """Reads nothing: what is shown holds no secret, so it needs none."""

        def read(self, reference: SecretRef, *, what: str) -> str:
            del reference, what
            return "https://not-read.invalid/"

    return Ways(routing=ways.routing, secrets=Unread(folder=ways.folder), folder=ways.folder)


def _data(action: Action, rendered: Rendered | None, why: str) -> dict[str, Any]:
    return {
        "key": action.key,
        "channel": action.channel,
        "thread": action.thread,
        "occasion": action.occasion,
        "reason": action.reason,
        "title": action.message.title,
        "rendered": None if rendered is None else builtins(rendered),
        "problem": why,
    }


def _lines(action: Action, rendered: Rendered | None, why: str) -> list[str]:
    from meshkit_chaos.report.escape import one_line, visible  # noqa: PLC0415  # start-up time

    head = [
        f"{action.channel}: {action.occasion}: {one_line(action.message.title)}",
        f"  why   {one_line(action.reason)}",
        f"  key   {action.key}",
    ]
    if rendered is None:
        return [visible(line) for line in (*head, f"  cannot be shown: {one_line(why)}")]
    share = 100 * rendered.size // max(rendered.budget, 1)
    head += [
        f"  to    {rendered.method} {one_line(rendered.target)}",
        f"  size  {rendered.size} of {rendered.budget} {rendered.unit} ({share} %)",
    ]
    head += [f"  left out for want of room: {', '.join(rendered.dropped)}"] if rendered.dropped else []
    body = [f"  | {line}" for line in rendered.body.splitlines()]
    return [visible(line) for line in (*head, *body)]

"""``notify send | flush | watch | test``: everything that reaches a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.histories import derived_documents, open_history, placed
from meshkit_chaos.cli.notify_channels import (
    LEASE,
    ROUTES_OPTION,
    UNDELIVERED,
    WAIT,
    Ways,
    empty,
    ended,
    entry_data,
    keep_records,
    open_channel,
    read_routes,
)
from meshkit_chaos.cli.notify_deciding import DECISION, OVERRIDES_OPTION, by_decisions, by_results, missing_nightly
from meshkit_chaos.cli.options import FORMAT, duration, json_text
from meshkit_chaos.cli.reading import POLICY
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.errors import ChaosError, UsageError

if TYPE_CHECKING:
    from meshkit_chaos.deliver.action import Action, Outcome
    from meshkit_chaos.deliver.ingesting import Decide, Decided
    from meshkit_chaos.deliver.outbox import Entry, Outbox
    from meshkit_chaos.history.index import History


@click.command("send", epilog="Example: meshkit-chaos notify send results --decision decision.json --routes chaos-notify.yaml")
@click.argument("results", metavar="[RESULTS|INVOCATION]...", nargs=-1)
@DECISION
@OVERRIDES_OPTION
@ROUTES_OPTION
@placed
@WAIT
@FORMAT
def send_command(
    results: tuple[str, ...],
    decisions: tuple[Path, ...],
    overrides: Path | None,
    routes: Path,
    history: str,
    artifacts: str | None,
    wait: str,
    form: str,
) -> int:
    """Take results into the history, decide who is told what of them, and send it. Twice is as good as once.

    RESULTS is a folder that was given as --out; INVOCATION is one that the history knows, or `latest`. Also sends whatever
    waits from earlier.

    Ends with 0 if everything that was due has arrived, whatever the verdict was; with 2 if something did not, or a folder
    was refused. What did not arrive is kept, and the next `send` or `flush` goes on with it.
    """
    from meshkit_chaos.deliver.ingesting import Decided  # noqa: PLC0415  # start-up time

    if not results and not decisions:
        raise UsageError("there is nothing to tell", hint="name results folders, invocations, or a --decision")
    duration(wait, option="--wait")
    ways = read_routes(routes)
    later = by_decisions(ways.routing, decisions, overrides)
    decided, refused = Decided(), 0
    with open_history(history, artifacts=artifacts, make=True) as opened:
        for one in [one if Path(one).is_dir() else known_invocation(opened, one) for one in results]:
            try:
                decided += _taken(opened, one, ways)
            except UsageError:
                raise
            except ChaosError as error:
                refused += 1
                say(f"{one}: refused: {error.message}\nhint: {error.hint}")
        for decide in later:
            decided += _told(opened, decide)
        keep_records(opened, decided.touched)
        return max(_flushed(opened, ways, decided, wait=wait, form=form), UNDELIVERED if refused else 0)


def _taken(opened: History, one: str, ways: Ways) -> Decided:
    from meshkit_chaos.deliver.ingesting import tell_known, tell_results  # noqa: PLC0415  # start-up time

    decide = by_results(ways.routing)
    if Path(one).is_dir():
        _, decided = tell_results(opened, Path(one), decide, documents=derived_documents)
        return decided
    return tell_known(opened, one, decide)


def known_invocation(opened: History, name: str) -> str:
    """An invocation by its own ULID, by that of one of its runs, or the newest. Raises UsageError."""
    if name == "latest":
        newest = opened.invocations()
        name = newest[0].invocation if newest else name
    found = opened.invocation_of_run(name) or name
    if opened.invocation(found) is None:
        raise UsageError(f"{name} is no results folder and no invocation of this history", hint="check the path")
    return found


def _told(opened: History, decide: Decide) -> Decided:
    from meshkit_chaos.deliver.ingesting import tell  # noqa: PLC0415  # start-up time

    return tell(opened, decide)


def _flushed(opened: History, ways: Ways, decided: Decided, *, wait: str, lease: str = "3m", form: str) -> int:
    from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # start-up time

    for action in decided.new:
        say(f"{action.channel}: {action.occasion}: {action.message.title}: {action.reason}")
    outbox = Outbox(opened.database)
    entries = empty(opened, ways, wait=wait, lease=lease)
    entries += _refused_before(outbox, decided.about, {one.told.action.key for one in entries})
    now = outbox.instant()
    if form == "json":
        click.echo(json_text([entry_data(one, now) for one in entries]))
    return ended(entries, now)


def _refused_before(outbox: Outbox, about: frozenset[str], shown: set[str]) -> tuple[Entry, ...]:
    """What tells of these invocations and was given up earlier: a job that is run again is not green for it."""
    if not about:
        return ()
    dead = outbox.entries(states=["dead"])
    return tuple(one for one in dead if one.told.action.key not in shown and not about.isdisjoint(one.told.action.invocations))


@click.command("flush", epilog="Example: meshkit-chaos notify flush --wait 5m")
@ROUTES_OPTION
@placed
@WAIT
@LEASE
@FORMAT
def flush_command(routes: Path, history: str, artifacts: str | None, wait: str, lease: str, form: str) -> int:
    """Send what waits, and look for what may have arrived. Ends with 2 if anything that was due did not arrive."""
    from meshkit_chaos.deliver.ingesting import Decided  # noqa: PLC0415  # start-up time

    for text, option in ((wait, "--wait"), (lease, "--lease")):
        duration(text, option=option)
    ways = read_routes(routes)
    with open_history(history, artifacts=artifacts) as opened:
        return _flushed(opened, ways, Decided(), wait=wait, lease=lease, form=form)


@click.command("watch", epilog="Example: meshkit-chaos notify watch --policy chaos-gate.yaml")
@click.option(
    "--policy", "policy", type=click.Path(path_type=Path), default=Path(POLICY), show_default=True, help="Has the schedule."
)
@ROUTES_OPTION
@placed
@WAIT
@FORMAT
def watch_command(policy: Path, routes: Path, history: str, artifacts: str | None, wait: str, form: str) -> int:
    """Tell that a nightly is missing, by the policy's schedule: the night that did not run cannot tell it. Sends what waits,
    too.

    Run it on a schedule of its own, after the nightly's grace. That a nightly is missing does not make it fail; that it could
    not be told does.
    """
    duration(wait, option="--wait")
    ways = read_routes(routes)
    decide = missing_nightly(ways.routing, policy)
    with open_history(history, artifacts=artifacts, make=True) as opened:
        decided = _told(opened, decide)
        keep_records(opened, decided.touched)
        if not decided.new and not decided.known:
            say("no nightly is missing")
        return _flushed(opened, ways, decided, wait=wait, form=form)


@click.command("test", epilog="Example: meshkit-chaos notify test chat --routes chaos-notify.yaml")
@click.argument("channel")
@ROUTES_OPTION
@FORMAT
def test_command(channel: str, routes: Path, form: str) -> int:
    """Send a test message to CHANNEL, once, and say what the channel answered. A tracker gets a ticket that you close again."""
    from meshkit_chaos.deliver.action import Delivered  # noqa: PLC0415  # start-up time
    from meshkit_chaos.slo.codec import builtins  # noqa: PLC0415  # start-up time

    ways = read_routes(routes)
    names = [one.id for one in ways.routing.channels]
    if channel not in names:
        raise UsageError(f"{routes} has no channel {channel!r}", hint=f"there are: {', '.join(names)}")
    sender = open_channel(ways, channel)
    try:
        outcome = sender.send(_test_action(ways, channel), ())
    finally:
        sender.close()
    told = {"channel": channel, "outcome": type(outcome).__name__.lower(), **builtins(outcome)}
    if form == "json":
        click.echo(ways.secrets.redacted(json_text(told)))
    else:
        say(_answer(channel, outcome))
    return 0 if isinstance(outcome, Delivered) else UNDELIVERED


def _test_action(ways: Ways, channel: str) -> Action:
    from meshkit_chaos.deliver.action import Action, Ticket  # noqa: PLC0415  # start-up time
    from meshkit_chaos.deliver.message import Fact, Message  # noqa: PLC0415  # start-up time
    from meshkit_chaos.deliver.settings import TRACKERS  # noqa: PLC0415  # start-up time

    clock = SystemClock()
    key, now = f"test:{channel}:{ulid(clock)}", clock.wall_ns()
    tracks = isinstance(ways.routing.channel(channel), TRACKERS)
    message = Message(
        title=f"Test message of {ways.routing.project}",
        lead=f"Whoever reads this is reached by the channel {channel}. Nothing is wrong, and nothing is to be done.",
        tone="neutral",
        facts=(Fact(label="routes", value=ways.routing.path),),
        cause=key,
    )
    return Action(
        key=key,
        channel=channel,
        thread=key,
        occasion="test",
        message=message,
        reason="somebody asked for a test message",
        at=now,
        ticket=Ticket(wish="failing", failed_at=now) if tracks else None,
    )


def _answer(channel: str, outcome: Outcome) -> str:
    from meshkit_chaos.deliver.action import Again, Delivered, Refused, Unsure  # noqa: PLC0415  # start-up time

    match outcome:
        case Delivered(receipt=receipt):
            where = f": {receipt.url or receipt.reference}" if receipt.url or receipt.reference else ""
            sure = "" if receipt.shown else "; look whether it is shown: the channel's answer does not prove it"
            return f"{channel}: {receipt.did}{where}{sure}"
        case Refused(why=why, who=who, hint=hint):
            return f"{channel}: refused ({who} must act): {why}" + (f"\nhint: {hint}" if hint else "")
        case Again(why=why):
            return f"{channel}: not now: {why}"
        case Unsure(why=why):
            return f"{channel}: it may have arrived: {why}"

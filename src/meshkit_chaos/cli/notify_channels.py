"""What all ``notify`` commands share: the routes file, its channels ready to send, emptying the outbox, and how that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from meshkit_chaos.cli.app import admit, conceal, say
from meshkit_chaos.cli.options import duration
from meshkit_chaos.cli.reading import ROUTES, read_document, refused
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import CannotRun, UsageError
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.deliver.action import Told
    from meshkit_chaos.deliver.outbox import Entry, Outbox
    from meshkit_chaos.deliver.sending import Sender
    from meshkit_chaos.deliver.settings import Routing
    from meshkit_chaos.history.index import History
    from meshkit_chaos.measure.access import Secrets

UNDELIVERED: Final = 2
ROUTES_OPTION = click.option(
    "--routes", "routes", type=click.Path(path_type=Path), default=Path(ROUTES), show_default=True, help="Who is told what."
)
WAIT = click.option(
    "--wait", default="2m", show_default=True, metavar="DURATION", help="How long to go on with what does not arrive at once."
)

LEASE = click.option(
    "--lease",
    default="3m",
    show_default=True,
    metavar="DURATION",
    help="After so long a sender that did not finish is taken for dead, and what it had in hand is looked for.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """A routes file that was read, and the secrets that its channels use."""

    routing: Routing
    secrets: Secrets
    folder: Path


def read_routes(file: Path) -> Ways:
    """Raises UsageError where there is none, DocumentError with every problem where it is wrong."""
    from meshkit_chaos.deliver.load import load_routing  # noqa: PLC0415  # start-up time
    from meshkit_chaos.measure.access import Secrets  # noqa: PLC0415  # start-up time

    if not file.exists():
        raise UsageError(f"there is no routes file {file}", hint="name one with --routes; `notify init` writes a first one")
    data = read_document(file)
    loaded = load_routing(data, path=str(file))
    if loaded.value is None:
        raise refused(loaded.problems, {str(file): data})
    secrets = Secrets(folder=file.parent)
    conceal(secrets.redacted)
    return Ways(routing=loaded.value, secrets=secrets, folder=file.parent)


def open_channel(ways: Ways, channel: str, *, elsewhere: Mapping[str, str] = MappingProxyType({})) -> Sender:
    """One channel of the routes file. Raises CannotRun where a secret of it is missing.

    ``elsewhere``: variables that are not set here, and are where the channel will be used.
    """
    from meshkit_chaos.deliver.opening import Surroundings, open_sender  # noqa: PLC0415  # start-up time

    around = Surroundings(
        secrets=ways.secrets,
        clock=SystemClock(),
        folder=ways.folder,
        rules=ways.routing.rules,
        owners=ways.routing.owners,
        variables={**elsewhere, **os.environ},
    )
    return open_sender(ways.routing.channel(channel), around)


@contextlib.contextmanager
def opened_channels(ways: Ways, names: frozenset[str]) -> Iterator[dict[str, Sender]]:
    """Those of the channels that can be opened; of the others it is said why not, and nothing is sent to them."""
    opened: dict[str, Sender] = {}
    known = {channel.id for channel in ways.routing.channels}
    try:
        for name in sorted(names):
            if name not in known:
                say(f"{name}: no channel of {ways.routing.path}; `notify resolve KEY --drop` gives up what waits for it")
                continue
            try:
                opened[name] = open_channel(ways, name)
            except CannotRun as error:
                say(f"{name}: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
        yield opened
    finally:
        for sender in opened.values():
            sender.close()


class Teller:
    """Says every attempt on stderr, and keeps which rows there were."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def tried(self, told: Told) -> None:
        self.keys.add(told.action.key)
        say(attempt_line(told))

    def bug(self, told: Told, error: Exception) -> None:
        self.keys.add(told.action.key)
        admit(error)


def attempt_line(told: Told) -> str:
    """An attempt and what came of it, in a line."""
    from meshkit_chaos.report.escape import one_line, visible  # noqa: PLC0415  # start-up time

    receipt = told.receipt
    match told.state:
        case "delivered" if receipt is not None:
            shown = "" if receipt.shown else " (taken in; whether it is shown, the channel does not say)"
            said = " ".join(part for part in (receipt.did, receipt.reference, receipt.note) if part) + shown
        case "pending":
            said = f"not yet: {told.error}"
        case state:
            said = f"{state}: {told.error}"
    return visible(f"{told.action.channel}: {one_line(told.action.message.title)}: {one_line(said)}")


def empty(history: History, ways: Ways, *, wait: str, lease: str = "3m") -> tuple[Entry, ...]:
    """Send what waits, and give every row that was due or tried, as it is then. Records of them are on the shelf afterwards.

    Raises HistoryProblem.
    """
    from meshkit_chaos.deliver.backoff import Patience  # noqa: PLC0415  # start-up time
    from meshkit_chaos.deliver.outbox import Outbox  # noqa: PLC0415  # start-up time
    from meshkit_chaos.deliver.worker import Going, flush  # noqa: PLC0415  # start-up time

    longest, patience = duration(wait, option="--wait"), Patience(lease=duration(lease, option="--lease"))
    outbox, teller = Outbox(history.database), Teller()
    waiting = _due(outbox)
    try:
        with opened_channels(ways, outbox.open_channels()) as senders, _stoppable() as stop:
            flush(
                outbox,
                senders,
                wait=longest,
                clock=SystemClock(),
                watching=teller,
                going=Going(patience=patience, hide=ways.secrets.redacted),
                stop=stop,
            )
    finally:
        keep_records(history, frozenset(waiting | teller.keys))
    return outbox.entries(keys=sorted(waiting | teller.keys)) if waiting or teller.keys else ()


def _due(outbox: Outbox) -> set[str]:
    from meshkit_chaos.deliver.action import OPEN  # noqa: PLC0415  # start-up time

    now = outbox.instant()
    return {one.told.action.key for one in outbox.entries(states=OPEN) if one.undelivered(now)}


def keep_records(history: History, keys: frozenset[str]) -> None:
    """Put what is known of these rows on the shelf, where there is one: it travels with the history, and survives the index."""
    from meshkit_chaos.history.places import NoStore  # noqa: PLC0415  # start-up time

    if keys and not isinstance(history.store, NoStore):
        history.write_deliveries(keys)


@contextlib.contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C end it after the requests that are under way; a second one ends it at once."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stopped(number: int, _: object) -> None:
        say("stopping after what is under way; again: at once")
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    for number in before:
        signal.signal(number, stopped)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ended(entries: Sequence[Entry], now: int) -> int:
    """Say what did not arrive, and give the exit code: 0 only where everything that was due did."""
    left = [one for one in entries if one.undelivered(now)]
    for one in left:
        say(f"{one.told.action.key}: {one.told.state} for {one.told.action.channel}: {one.told.error or 'not tried yet'}")
    done = sum(one.told.state == "delivered" for one in entries)
    say(f"{counted(done, 'message')} delivered" + (f", {len(left)} not" if left else ""))
    return UNDELIVERED if left else 0


def entry_data(entry: Entry, now: int) -> dict[str, Any]:
    """A row as JSON has it."""
    told = entry.told
    return {
        "key": told.action.key,
        "channel": told.action.channel,
        "thread": told.action.thread,
        "occasion": told.action.occasion,
        "title": told.action.message.title,
        "reason": told.action.reason,
        "state": told.state,
        "held": entry.held,
        "undelivered": entry.undelivered(now),
        "attempts": told.attempts,
        "tried_at": told.tried_at,
        "settled_at": told.settled_at,
        "not_before": None if entry.held else entry.not_before,
        "error": told.error,
        "receipt": builtins(told.receipt),
    }

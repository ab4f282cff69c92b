"""What ``notify`` decides from: results, decisions of the gate, overrides, a schedule. Files in; functions that decide out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshkit_chaos.cli.gate_reading import read_file, read_policy
from meshkit_chaos.cli.reading import OVERRIDES
from meshkit_chaos.errors import UsageError

if TYPE_CHECKING:
    from meshkit_chaos.deliver.action import Action, Told
    from meshkit_chaos.deliver.ingesting import Decide, DecideResults
    from meshkit_chaos.deliver.settings import Routing
    from meshkit_chaos.gate.decision import Decision
    from meshkit_chaos.history.model import HistoryReader, PastInvocation, PastScenario

DECISION = click.option(
    "--decision",
    "decisions",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also tell what the gate decided: the JSON of `gate check`, or its log, of which the last decision; repeatable.",
)
OVERRIDES_OPTION = click.option(
    "--overrides",
    type=click.Path(path_type=Path),
    help=f"Also tell which overrides end soon.  [default: {OVERRIDES}, where there is one]",
)


def by_results(routing: Routing) -> DecideResults:
    """Decides by one invocation."""
    from meshkit_chaos.deliver.deciding import decide  # noqa: PLC0415  # start-up time

    def of(invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> Decide:
        return lambda history, told, now: decide(invocation, scenarios, history=history, told=told, routing=routing, now=now)

    return of


def by_decisions(routing: Routing, files: tuple[Path, ...], overrides: Path | None) -> tuple[Decide, ...]:
    """Decides by the gate's decisions and overrides that end soon. Reads all files now. Raises UsageError and DocumentError."""
    from meshkit_chaos.deliver.deciding_gate import decide_gate, decide_overrides  # noqa: PLC0415  # start-up time

    def of(decision: Decision) -> Decide:
        return lambda history, told, now: decide_gate(decision, history=history, told=told, routing=routing, now=now)

    entries = read_file(overrides, None)

    def ending(history: HistoryReader, told: Sequence[Told], now: int) -> tuple[Action, ...]:
        return decide_overrides(entries, history=history, told=told, routing=routing, now=now)

    return (*(of(_decision(file)) for file in files), ending)


def _decision(file: Path) -> Decision:
    """The decision in a file: JSON of one, or the newest in a log. Raises UsageError."""
    import msgspec  # noqa: PLC0415  # start-up time

    from meshkit_chaos.gate.decision import Decision  # noqa: PLC0415  # start-up time
    from meshkit_chaos.gate.log import verify  # noqa: PLC0415  # start-up time
    from meshkit_chaos.slo.codec import convert, decode  # noqa: PLC0415  # start-up time

    hint = "give the output of `gate check --format json`, or the file of its --log"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"--decision {file} cannot be read: {error.strerror}", hint=hint) from error
    try:
        return decode(data, Decision)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        chain = verify(data)
    made = [entry for entry in chain.entries if entry.kind == "decision"]
    if not made or chain.problems:
        raise UsageError(
            f"--decision {file} holds no decision: {'; '.join(chain.problems[:2]) or 'none was logged'}", hint=hint
        )
    try:
        found = convert(made[-1].body, Decision)
    except msgspec.MsgspecError as error:
        raise UsageError(f"--decision {file}: its last decision cannot be read: {error}", hint=hint) from error
    assert isinstance(found, Decision)
    return found


def missing_nightly(routing: Routing, policy: Path) -> Decide:
    """Decides whether a nightly is missing. Raises UsageError where the policy has no schedule, DocumentError where it is
    wrong.
    """
    from meshkit_chaos.deliver.deciding_nightly import decide_nightly  # noqa: PLC0415  # start-up time

    nightly = read_policy(policy, None).nightly
    if nightly is None:
        raise UsageError(f"{policy} says of no nightly when it is expected", hint="add `nightly: {cron: …}` to it")
    return lambda history, told, now: decide_nightly(nightly, history=history, told=told, routing=routing, now=now)

"""A policy replayed over history: what it would have said after each invocation, knowing only what was known then."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.decision import BLOCKED, Decision
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.memory import AsOf
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation
from meshkit_chaos.judge.phrases import counted


class Replayed(Struct, frozen=True, kw_only=True):
    """One invocation and the decision that the policy would have made about its subject right after it."""

    invocation: str
    at: int
    subject: dict[str, str]
    decision: Decision


class Backtest(Struct, frozen=True, kw_only=True):
    """Oldest first. ``unknown``: invocations whose subject cannot be told, so that no decision could be made."""

    replayed: tuple[Replayed, ...]
    unknown: int

    @property
    def blocked(self) -> tuple[Replayed, ...]:
        return tuple(one for one in self.replayed if not one.decision.open)

    @property
    def sentence(self) -> str:
        """The whole in a line."""
        blocked = self.blocked
        real = sum(one.decision.exit_code == BLOCKED for one in blocked)
        share = f"would have blocked {len(blocked)} of {counted(len(self.replayed), 'invocation')}"
        why = (
            f": {real} by evidence of a failure or a regression, {len(blocked) - real} for want of evidence" if blocked else ""
        )
        apart = f"; {self.unknown} more have no subject to decide about" if self.unknown else ""
        return share + why + apart


def backtest(reader: HistoryReader, policy: Policy, *, since: int | None, before: int | None) -> Backtest:
    """Replay a policy, without overrides, over every invocation of a span."""
    replayed, unknown = [], 0
    for invocation in reversed(reader.invocations(since=since, before=before)):
        subject = _subject(reader, invocation)
        if not subject.known(policy.match):
            unknown += 1
            continue
        # Results bear the instant at which their invocation began, so one nanosecond later all of them are known.
        now = invocation.at + 1
        then = AsOf(reader, now)
        decision = decide(policy, gather(then, policy, subject, now=now), subject=subject, now=now)
        replayed.append(
            Replayed(invocation=invocation.invocation, at=invocation.at, subject=invocation.subject, decision=decision)
        )
    return Backtest(replayed=tuple(replayed), unknown=unknown)


def _subject(reader: HistoryReader, invocation: PastInvocation) -> Subject:
    """What an invocation tested: its stated subject, and the binaries that its runs deployed."""
    return Subject(pairs=invocation.subject, digests=tuple(sorted(set(_binaries(reader, invocation)))))


def _binaries(reader: HistoryReader, invocation: PastInvocation) -> Iterator[str]:
    asked = Ask(scenarios=invocation.announced, since=invocation.at, before=invocation.at + 1)
    for result in reader.results(asked):
        if result.invocation == invocation.invocation:
            for run in result.runs:
                yield from run.binaries.values()

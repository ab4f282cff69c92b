"""Which failures the gate accepted, by whom and until when. Pure.

Takes the gate's log, its decision of now and the overrides; gives waivers by commit and scenario. Refuses what does not
hold: an override that was refused, that ended, that is not there any more or reads otherwise than when it was used, and
everything in a log that was changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard.wording import day, minute
from meshkit_chaos.gate.decision import GOOD, Decision
from meshkit_chaos.gate.log import Chain, LogEntry
from meshkit_chaos.gate.overrides import Override, Overrides
from meshkit_chaos.report.escape import one_line

Of = tuple[str, str]
"""A commit and a scenario."""
_Item = tuple[str, object, tuple[str, ...]]
"""What a decision says of a scenario: its name, a code, and the overrides that it was good by."""


class Waiver(Struct, frozen=True, kw_only=True):
    """``decided``: when the gate used it, wall-clock ns: results that came later it had not seen."""

    id: str
    who: str
    why: str
    accepts: str
    ticket: str
    until: str
    decided: int

    @property
    def sentence(self) -> str:
        return f"accepted {self.accepts} until {self.until}: {self.why} ({self.ticket}); {self.who}"


class Waivers(Struct, frozen=True, kw_only=True):
    """``ended``: what was accepted once and is not any more, in words."""

    in_force: dict[Of, Waiver] = {}
    ended: dict[Of, str] = {}


NO_WAIVERS: Final = Waivers()


class _Used(Struct, frozen=True, kw_only=True):
    """What a decision used for one scenario: the digests of overrides by their ids. All of them are needed."""

    digests: dict[str, str]
    decided: int


def waivers(chain: Chain | None, decision: Decision | None, overrides: Overrides, *, now: int) -> Waivers:
    """``decision``: of the newest build, now. What it refuses is not waived, whatever the log says of the same build.

    But that an override was read from a file that is not known to be protected says only where *we* read it: the gate, which
    used it, had it from its protected branch, and the digest says that it is the same one.
    """
    used = _in_log(chain.entries) if chain is not None and not chain.problems else {}
    if decision is not None and (commit := decision.subject.get("commit", "")):
        refused = {one.id for one in decision.overrides if one.refusal not in ("", "unprotected")}
        used = {of: one for of, one in used.items() if of[0] != commit or refused.isdisjoint(one.digests)}
        items = [(item.scenario, item.code, item.overrides) for item in decision.items]
        digests = {one.id: one.digest for one in decision.overrides if one.refusal == ""}
        used |= {(commit, name): one for name, one in _used(items, digests, at=decision.at)}
    granted = {one.id: one for one in overrides.entries}
    in_force, ended = {}, {}
    for of, one in used.items():
        if problem := next(filter(None, (_problem(granted.get(name), name, one, now=now) for name in one.digests)), ""):
            ended[of] = problem
        else:
            first_to_end = min((granted[name] for name in one.digests), key=lambda entry: entry.expires)
            in_force[of] = _waiver(first_to_end, one)
    return Waivers(in_force=in_force, ended=ended)


def _in_log(entries: Iterable[LogEntry]) -> dict[Of, _Used]:
    """By the last decision about each commit."""
    found: dict[str, dict[Of, _Used]] = {}
    for entry in entries:
        subject = entry.body.get("subject")
        commit = subject.get("commit") if isinstance(subject, dict) else None
        if entry.kind == "decision" and isinstance(commit, str) and commit:
            found[commit] = {(commit, name): one for name, one in _used_in(entry)}
    return {of: one for ones in found.values() for of, one in ones.items()}


def _used_in(entry: LogEntry) -> Iterator[tuple[str, _Used]]:
    items = [
        (str(item.get("scenario", "")), item.get("code"), _names(item.get("overrides"))) for item in entry.mappings("items")
    ]
    uses = [one for one in entry.mappings("overrides") if one.get("refusal") == ""]
    return _used(items, {str(one.get("id")): str(one.get("digest")) for one in uses}, at=entry.at)


def _names(several: object) -> tuple[str, ...]:
    """Of overrides; none where a log says anything else than a list."""
    return tuple(map(str, several)) if isinstance(several, list | tuple) else ()


def _used(items: Iterable[_Item], digests: Mapping[str, str], *, at: int) -> Iterator[tuple[str, _Used]]:
    """Of each scenario that is good in everything that was asked of it, and somewhere only because of overrides."""
    told: dict[str, list[_Item]] = {}
    for one in items:
        told.setdefault(one[0], []).append(one)
    for scenario, ones in told.items():
        names = [name for _, code, several in ones if code == "waived" for name in several]
        if scenario and names and all(code in GOOD for _, code, _ in ones) and all(name in digests for name in names):
            yield scenario, _Used(digests={name: digests[name] for name in names}, decided=at)


def _waiver(entry: Override, used: _Used) -> Waiver:
    return Waiver(
        id=one_line(entry.id),
        who=one_line(f"asked for by {entry.author}, granted by {entry.approver}"),
        why=one_line(entry.reason),
        accepts=str(entry.accept),
        ticket=one_line(entry.ticket),
        until=minute(entry.expires),
        decided=used.decided,
    )


def _problem(found: Override | None, name: str, used: _Used, *, now: int) -> str:
    """Why an override that was used does not hold any more, in words; empty where it does."""
    told = f"the gate accepted it on {day(used.decided)} by {one_line(name)}"
    if found is None:
        return f"{told}, which is not among the overrides here: nothing says that it still holds"
    if found.digest != used.digests[name]:
        return f"{told}, which reads otherwise now"
    if found.expires <= now:
        return f"{told}, which ended on {day(found.expires)}"
    return f"{told}, which does not hold yet" if found.created > now else ""

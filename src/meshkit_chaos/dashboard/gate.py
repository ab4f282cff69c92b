"""The gate's decision on the newest build, what people waived, and whether the log of decisions is whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.gate.decision import EVIDENCE, GOOD, Decision, Item
from meshkit_chaos.gate.log import Chain, LogEntry
from meshkit_chaos.gate.overrides import Override, Overrides
from meshkit_chaos.judge.phrases import counted, say_share
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.gate_words import headline, name, ordered, released, story

MOST_ENTRIES = 100
MOST_ITEMS = 140


class ItemLine(Struct, frozen=True, kw_only=True):
    about: str
    href: str
    tone: VerdictName
    code: str
    sentence: str
    shadow: bool
    story: tuple[tuple[str, str], ...]


class OverrideLine(Struct, frozen=True, kw_only=True):
    id: str
    scenario: str
    objective: str
    accepts: str
    reason: str
    ticket: str
    who: str
    created: str
    expires: str
    state: str


class EntryLine(Struct, frozen=True, kw_only=True):
    when: str
    what: str
    sentence: str
    hash: str


class GatePage(Struct, frozen=True, kw_only=True):
    """``headline`` empty: there is no policy, or nothing to decide about."""

    headline: str
    open: bool
    subject: str
    items: tuple[ItemLine, ...]
    notes: tuple[str, ...]
    overrides: tuple[OverrideLine, ...]
    rate: str
    entries: tuple[EntryLine, ...]
    chain: str
    problems: tuple[str, ...]


def gate_page(
    decision: Decision | None, overrides: Overrides, chain: Chain | None, *, now: int, here: str, known: AbstractSet[str]
) -> GatePage:
    """``chain``: the log as it was read and verified; None where there is none. ``known``: scenarios that have a page."""
    entries = chain.entries if chain is not None else ()
    return GatePage(
        headline=headline(decision) if decision is not None else "",
        open=decision.open if decision is not None else False,
        subject=released(decision) if decision is not None else "",
        items=tuple(_item(item, here=here, known=known) for item in ordered(decision)[:MOST_ITEMS])
        if decision is not None
        else (),
        notes=_notes(decision) if decision is not None else (),
        overrides=tuple(
            _override(one, now=now) for one in sorted(overrides.entries, key=lambda one: one.expires, reverse=True)
        ),
        rate=override_rate(entries),
        entries=tuple(_entry(entry) for entry in reversed(entries[-MOST_ENTRIES:])),
        chain=_chain(chain),
        problems=tuple(one_line(problem) for problem in chain.problems) if chain is not None else (),
    )


def _notes(decision: Decision) -> tuple[str, ...]:
    more = len(decision.items) - MOST_ITEMS
    cut = (f"{more} more are not shown here, as they come last; `meshkit-chaos gate check` tells all",) if more > 0 else ()
    return (*cut, *(one_line(note) for note in decision.notes))


def waived(entries: Sequence[LogEntry]) -> frozenset[tuple[str, str]]:
    """Commits and scenarios of which a decision accepted what did not pass."""
    found = set()
    for entry in entries:
        subject = entry.body.get("subject")
        commit = subject.get("commit", "") if isinstance(subject, dict) else ""
        for item in _list(entry.body, "items") if entry.kind == "decision" and commit else ():
            if isinstance(item, dict) and item.get("code") == "waived":
                found.add((str(commit), str(item.get("scenario", ""))))
    return frozenset(found)


def override_rate(entries: Sequence[LogEntry]) -> str:
    """How many decisions were open only because of an override, in words; empty where nothing was decided."""
    decisions = [entry.body for entry in entries if entry.kind == "decision"]
    if not decisions:
        return ""
    waived = sum(
        any(isinstance(one, dict) and one.get("refusal") == "" for one in _list(body, "overrides")) for body in decisions
    )
    opened = sum(body.get("open") is True for body in decisions)
    return (
        f"{counted(len(decisions), 'decision')}: {opened} open, and in {waived} of them "
        f"({say_share(waived / len(decisions))}) an override was used"
    )


def _list(body: dict[str, object], key: str) -> list[object]:
    found = body.get(key)
    return found if isinstance(found, list) else []


def _chain(chain: Chain | None) -> str:
    if chain is None:
        return ""
    if chain.problems:
        return "The log was changed: " + counted(len(chain.problems), "problem")
    return f"{counted(len(chain.entries), 'line')}, each follows on the one before; the head is {chain.head}"


def _item(item: Item, *, here: str, known: AbstractSet[str]) -> ItemLine:
    tone: VerdictName = "pass" if item.code in GOOD else "fail" if item.code in EVIDENCE else "inconclusive"
    return ItemLine(
        about=name(item),
        href=paths.relative(paths.scenario(item.scenario), here=here) if item.scenario in known else "",
        tone=tone,
        code=item.code,
        sentence=one_line(item.sentence),
        shadow=item.mode == "shadow",
        story=story(item),
    )


def _override(one: Override, *, now: int) -> OverrideLine:
    return OverrideLine(
        id=one_line(one.id),
        scenario=one_line(one.scenario),
        objective=one_line(one.objective),
        accepts=str(one.accept),
        reason=one_line(one.reason),
        ticket=one_line(one.ticket),
        who=one_line(f"{one.author}, granted by {one.approver}"),
        created=minute(one.created),
        expires=minute(one.expires),
        state="ended" if one.expires <= now else "in force" if one.created <= now else "not yet",
    )


def _entry(entry: LogEntry) -> EntryLine:
    sentence = entry.body.get("sentence") or entry.body.get("reason") or ""
    said = {True: "open", False: "blocked"}.get(entry.body.get("open") is True, "") if entry.kind == "decision" else entry.kind
    return EntryLine(when=minute(entry.at), what=one_line(said), sentence=one_line(str(sentence)), hash=entry.hash[:12])

"""The gate's decision on the newest build, what people waived, and its log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.audit import Audit, audit
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.gate.decision import EVIDENCE, GOOD, Comparison, Decision, Item, OverrideUse
from meshkit_chaos.gate.log import Chain, LogEntry
from meshkit_chaos.gate.overrides import Override, Overrides
from meshkit_chaos.judge.phrases import say_share
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.gate_words import headline, name, ordered, released, story

SEES: Final = 0.8
"""With less power than this, what was not found may be there all the same."""
MOST_ITEMS: Final = 90


class ComparisonLine(Struct, frozen=True, kw_only=True):
    """An objective against an earlier release: what was seen, and what could have been."""

    objective: str
    kind: str
    release: str
    result: str
    tone: VerdictName
    sentence: str
    p: str
    needs: str
    power: str


class ItemLine(Struct, frozen=True, kw_only=True):
    """``story``: since when, last good, and what would open it, as labelled lines."""

    about: str
    href: str
    tone: VerdictName
    code: str
    sentence: str
    shadow: bool
    good: bool
    story: tuple[tuple[str, str], ...]
    comparisons: tuple[ComparisonLine, ...]


class OverrideLine(Struct, frozen=True, kw_only=True):
    """``use``: what the decision on the newest build made of it."""

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
    use: str
    anchor: str


class GatePage(Struct, frozen=True, kw_only=True):
    """``headline`` empty: there is no policy, or nothing to decide about."""

    headline: str
    open: bool
    subject: str
    items: tuple[ItemLine, ...]
    notes: tuple[str, ...]
    overrides: tuple[OverrideLine, ...]
    audit: Audit


def gate_page(
    decision: Decision | None, overrides: Overrides, chain: Chain | None, *, now: int, here: str, known: AbstractSet[str]
) -> GatePage:
    """``chain``: the log as it was read and verified; None where there is none. ``known``: scenarios that have a page."""
    uses = {one.id: one for one in decision.overrides} if decision is not None else {}
    newest_end_first = sorted(overrides.entries, key=lambda one: one.expires, reverse=True)
    items = ordered(decision)[:MOST_ITEMS] if decision is not None else ()
    return GatePage(
        headline=headline(decision) if decision is not None else "",
        open=decision.open if decision is not None else False,
        subject=released(decision) if decision is not None else "",
        items=tuple(_item(item, here=here, known=known) for item in items),
        notes=_notes(decision) if decision is not None else (),
        overrides=tuple(_override(one, uses, now=now) for one in newest_end_first),
        audit=audit(chain),
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
        if entry.kind == "decision" and commit:
            items = (item for item in entry.mappings("items") if item.get("code") == "waived")
            found |= {(str(commit), str(item.get("scenario", ""))) for item in items}
    return frozenset(found)


def _item(item: Item, *, here: str, known: AbstractSet[str]) -> ItemLine:
    tone: VerdictName = "fail" if item.code in EVIDENCE else "inconclusive"
    if item.code in GOOD:
        tone = "invalid" if item.code == "waived" else "pass"
    return ItemLine(
        about=name(item),
        href=paths.relative(paths.scenario(item.scenario), here=here) if item.scenario in known else "",
        tone=tone,
        code=item.code,
        sentence=one_line(item.sentence),
        shadow=item.mode == "shadow",
        good=item.code in GOOD,
        story=tuple((label, value) for label, value in story(item) if label != "compared"),
        comparisons=tuple(map(_comparison, item.comparisons)),
    )


def _comparison(one: Comparison) -> ComparisonLine:
    seen = one.power >= SEES
    return ComparisonLine(
        objective=one_line(one.objective),
        kind=one.kind,
        release=one_line(one.release),
        result="worse" if one.worse else "cannot tell" if one.blind else "not worse" if seen else "not seen to be worse",
        tone="fail" if one.worse else "pass" if seen and not one.blind else "inconclusive",
        sentence=one_line(one.sentence),
        p=f"{one.p:.2g}",
        needs=f"{one.level:.2g}",
        power=say_share(one.power),
    )


def _use(use: OverrideUse) -> str:
    if use.refusal == "unprotected":
        return "not used: this page read it from a file; `meshkit-chaos gate check` uses what is on a protected branch"
    return f"not used: {one_line(use.sentence)}" if use.refusal else "used for this build"


def _override(one: Override, uses: Mapping[str, OverrideUse], *, now: int) -> OverrideLine:
    use = uses.get(one.id)
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
        state="ended" if one.expires <= now else "not ended" if one.created <= now else "not yet",
        use=_use(use) if use is not None else "",
        anchor=paths.override_anchor(one.digest),
    )

"""What is said of a night, of an environment that was left dirty, and of a nightly that did not come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshkit_chaos.clock import minute
from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.course import causes_of
from meshkit_chaos.deliver.message import Link, Message, Point, Section
from meshkit_chaos.deliver.routing import weight
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.deliver.telling import TONES, commit_of, facts, filled, line, links, owners, short, why
from meshkit_chaos.gate.policy import Nightly
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import counted, listed
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.wording import WORD, counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """All invocations of one night and one branch, oldest first, with their results. ``day``: the morning that it ends on."""

    day: str
    invocations: tuple[PastInvocation, ...]
    results: tuple[PastScenario, ...]

    @property
    def counting(self) -> tuple[PastScenario, ...]:
        return tuple(one for one in self.results if one.counts)

    @property
    def verdicts(self) -> dict[str, VerdictName]:
        """Each scenario with the worst that was seen of it: a later pass does not undo an earlier failure."""
        found: dict[str, VerdictName] = {}
        for one in self.counting:
            found[one.scenario] = joined([one.verdict, *([found[one.scenario]] if one.scenario in found else [])])
        return found

    @property
    def verdict(self) -> VerdictName:
        """Any failure is a failure; else anything but a pass is inconclusive, an invocation's own word included.

        What people set aside is no failure any more, and no pass either.
        """
        if not self.verdicts:
            return "inconclusive"
        aside = {one.invocation for one in self.results if not one.counts}
        own: list[VerdictName] = ["inconclusive" if one.invocation in aside else one.verdict for one in self.invocations]
        return joined([*self.verdicts.values(), *own])

    @property
    def dirty(self) -> tuple[PastScenario, ...]:
        return tuple(one for one in self.results if one.environment == "dirty")


def joined(verdicts: Iterable[VerdictName]) -> VerdictName:
    known = set(verdicts)
    if "fail" in known:
        return "fail"
    if known == {"pass"}:
        return "pass"
    return known.pop() if len(known) == 1 else "inconclusive"


def summary(routing: Routing, night: Night, *, before: dict[str, VerdictName]) -> Message:
    """The night at a glance. ``before``: how each scenario stood the night before, where that is known."""
    newest = night.invocations[-1]
    tally = counts(night.verdicts.values())
    bad = [name for name, verdict in night.verdicts.items() if verdict != "pass"]
    total = counted(len(night.verdicts), "scenario")
    if not night.verdicts:
        title = "nothing was judged"
    elif bad:
        title = f"{len(bad)} of {total} did not pass"
    else:
        title = f"all {total} passed" if night.verdict == "pass" else f"{total} passed, but not all was proved"
    lead = ", ".join(f"{count} {WORD[verdict].lower()}" for verdict, count in tally) or newest.sentence
    if night.verdicts and night.verdict != "pass" and not bad:
        lead = f"{lead}; {'; '.join(dict.fromkeys(one.sentence for one in night.invocations if one.verdict != 'pass'))}"
    return Message(
        title=line(f"{routing.project}, night to {night.day}: {title}", 200),
        lead=line(f"{lead}.", 600),
        tone="bad" if night.dirty else TONES[night.verdict],
        facts=facts(
            (
                ("commit", listed(dict.fromkeys(short(one.subject.get("commit", "")) for one in night.invocations))),
                ("branch", newest.subject.get("branch", "")),
                ("environment", listed(dict.fromkeys(one.environment_class for one in night.results if one.environment_class))),
                ("invocations", str(len(night.invocations)) if len(night.invocations) > 1 else ""),
            )
        ),
        sections=tuple(_sections(night, before)),
        links=links(routing.links, result=night.results[-1]) if night.results else (),
    )


def _sections(night: Night, before: dict[str, VerdictName]) -> Iterable[Section]:
    ordered = sorted(night.counting, key=lambda one: (-weight(one.severity), one.scenario, one.at))
    groups: tuple[tuple[str, list[Point]], ...] = (
        ("left dirty", [Point(text=f"{one.scenario}: {one.environment_class}", tone="bad") for one in night.dirty]),
        ("failed", [_point(one, before) for one in ordered if one.verdict == "fail"]),
        ("proved nothing", [_point(one, before) for one in ordered if one.verdict not in ("pass", "fail")]),
        ("passed again", [Point(text=name, tone="good") for name in sorted(_again(night, before))]),
        ("flaky: a pass with failures", [_flaky(one) for one in ordered if one.verdict == "pass" and one.flaky]),
        ("set aside by people", [_aside(one) for one in night.results if not one.counts]),
    )
    return (Section(heading=heading, points=tuple(points)) for heading, points in groups if points)


def _point(one: PastScenario, before: dict[str, VerdictName]) -> Point:
    known = before.get(one.scenario)
    new = "" if known is None else f" (the night before: {WORD[known].lower()})"
    causes = causes_of(one)
    text = "; ".join(dict.fromkeys(why(one, cause) for cause in causes))
    return Point(text=line(f"{one.scenario}: {text}{new}"), tone=TONES[one.verdict])


def _again(night: Night, before: dict[str, VerdictName]) -> Iterable[str]:
    return (name for name, verdict in night.verdicts.items() if verdict == "pass" and before.get(name, "pass") != "pass")


def _flaky(one: PastScenario) -> Point:
    return Point(text=line(f"{one.scenario}: {one.sentence}"), tone="unsure")


def _aside(one: PastScenario) -> Point:
    reasons = listed(dict.fromkeys(run.invalidated for run in one.runs if run.invalidated))
    return Point(text=line(f"{one.scenario} ({one.verdict}): {reasons}"), tone="unsure")


def left_dirty(routing: Routing, cause: Cause, results: Sequence[PastScenario]) -> Message:
    """Something is still broken, and the next run there will refuse."""
    first = results[0]
    return Message(
        title=line(f"{routing.project}: an environment was left dirty: {cause.environment_class or 'of no known class'}", 200),
        lead=line(
            f"After {listed(one.scenario for one in results)} the rollback was not seen to hold. The next run there refuses."
        ),
        tone="bad",
        facts=facts(
            (
                ("environment", cause.environment_class),
                ("invocation", first.invocation),
                ("commit", short(commit_of(first))),
                ("at", minute(first.at)),
                ("owner", ", ".join(owners(results))),
            )
        ),
        command="meshkit-chaos recover",
        links=links(routing.links, result=first),
        cause=cause.key,
        mention=owners(results),
    )


def clean_again(routing: Routing, cause: Cause, result: PastScenario, *, begun: int) -> Message:
    """A later run on the class left its environment clean, and that was verified."""
    return Message(
        title=line(f"Recovered: {routing.project}: {cause.environment_class or 'an environment'} is clean", 200),
        lead=line(
            f"{result.scenario} was rolled back on {minute(result.at)}, and that was verified. First told {minute(begun)}."
        ),
        tone="good",
        facts=facts((("environment", cause.environment_class), ("invocation", result.invocation))),
        links=links(routing.links, result=result),
        cause=cause.key,
    )


def nightly_missing(
    routing: Routing, cause: Cause, nightly: Nightly, *, expected: int, newest: PastInvocation | None
) -> Message:
    """What was scheduled did not come: nothing is known of this night."""
    seen = f"The last one came on {minute(newest.at)}." if newest else "None ever came."
    asked = ", ".join(f"{key}={value}" for key, value in nightly.subject.items())
    return Message(
        title=line(f"{routing.project}: the nightly of {minute(expected)} is missing", 200),
        lead=line(f"Nothing came within {nightly.grace} of its time. {seen} Nothing is known of this night."),
        tone="unsure",
        facts=facts((("schedule", f"{nightly.cron} ({nightly.timezone})"), ("subject", asked))),
        links=dashboard(routing),
        cause=cause.key,
    )


def nightly_came(routing: Routing, cause: Cause, newest: PastInvocation, *, begun: int) -> Message:
    """It comes again. What it says is another matter, so this is not good news about the mesh."""
    return Message(
        title=line(f"{routing.project}: the nightly came again", 200),
        lead=line(f"{newest.invocation} began on {minute(newest.at)}; it was missed first on {minute(begun)}."),
        tone="neutral",
        facts=facts((("verdict", WORD[newest.verdict].lower()), ("commit", short(newest.subject.get("commit", ""))))),
        links=dashboard(routing),
        cause=cause.key,
    )


def dashboard(routing: Routing) -> tuple[Link, ...]:
    url = filled(routing.links.dashboard)
    return (Link(text="all runs", url=url),) if url else ()

"""What is said of a cause: that it began, goes on, changed, or is gone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshkit_chaos.clock import minute
from meshkit_chaos.deliver.cause import UNPROVEN, WORDS, Cause
from meshkit_chaos.deliver.course import Courses, Sight, Since, merged, shows, since
from meshkit_chaos.deliver.message import Message, Point, Section, Tone
from meshkit_chaos.deliver.routing import weight
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.deliver.telling import (
    command,
    commit_of,
    facts,
    last_good,
    line,
    links,
    owners,
    seen,
    short,
    telling_run,
    trend,
    why,
)
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.phrases import counted, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What every message of a cause needs. ``cause`` is the thread's own: its key stands in each of them.

    ``sights``: what this invocation shows of it, at least one. ``members``: what was told of a storm before.
    """

    routing: Routing
    around: Courses
    cause: Cause
    sights: tuple[Sight, ...]
    members: tuple[Cause, ...] = ()

    @property
    def worst(self) -> Sight:
        """The sight that matters most."""
        return min(self.sights, key=lambda one: (-weight(one.result.severity), one.cause.words))

    @property
    def tone(self) -> Tone:
        return "unsure" if all(one.cause.kind in UNPROVEN for one in self.sights) else "bad"

    @property
    def since(self) -> Since:
        sight = self.worst
        return since(self.around.before(sight.cause), sight.result, sight.cause)


def first_failure(told: Telling, *, reopened: int, loud: bool = True) -> Message:
    """It shows itself for the first time, or again after it was solved."""
    again = f" It had been solved and came back, {counted(reopened, 'time')} by now." if reopened else ""
    return _message(told, title=_title(told), lead=_lead(told) + again, loud=loud)


def still_failing(told: Telling, *, begun: int, first: int) -> Message:
    """It goes on. ``begun``: wall-clock ns of when it was first told; ``first``: of the result that was told then."""
    cause = told.worst.cause
    since_then = [one for one in merged(told.around.of(cause, line=False), told.around.of(cause)) if one.at >= first]
    bad = sum(shows(one, cause) for one in since_then)
    lead = f"Told first on {minute(begun)}; it shows in {bad} of {counted(len(since_then), 'result')} since. {_lead(told)}"
    return _message(told, title=f"Still: {_title(told)}", lead=lead, loud=False)


def changed(told: Telling, *, before: Sequence[Cause]) -> Message:
    """Other causes show themselves than those that were told. ``before``: the latter."""
    was = listed(line(one.words, 100) for one in before if not one.storm)
    if told.cause.storm:
        more = len(told.sights)
        title = f"{told.routing.project}: {counted(more, 'more scenario')}, {told.cause.shared}"
        return _message(told, title=title, lead=f"{_lead(told)} Before: {was}.", loud=False)
    return _message(told, title=f"Changed: {_title(told)}", lead=f"{_lead(told)} Before: {was}.", loud=False)


def recovered(told: Recovery) -> Message:
    """It is gone: so many clean results in a row say so."""
    note = " It came back too often: a person should look before its ticket is closed." if told.flapping else ""
    lead = f"{_row(told)} in a row since {seen(told.row[-1])}; first told on {minute(told.begun)}.{note}"
    title = f"Recovered: {told.routing.project}: {named(told.cause, told.members)}"
    return _over(told, title=title, lead=lead, tone="good" if _all_passed(told) else "neutral")


def clean_so_far(told: Recovery, *, needed: int) -> Message:
    """It was not seen any more, and not for long enough: what a digest says instead of "still"."""
    lead = f"{_row(told)} in a row since {seen(told.row[-1])}; {needed} end it. First told on {minute(told.begun)}."
    title = f"Clean so far: {told.routing.project}: {named(told.cause, told.members)}"
    return _over(told, title=title, lead=lead, tone="unsure")


def _all_passed(told: Recovery) -> bool:
    objectives: dict[str, list[str]] = {}
    for cause in told.members:
        objectives.setdefault(cause.scenario, []).append(cause.objective)
    return all(
        one.verdict == "pass" or one.objectives.get(objective) == "pass"
        for one in told.row
        for objective in objectives.get(one.scenario, ())
    )


def _row(told: Recovery) -> str:
    passes = "1 pass" if told.clean == 1 else f"{told.clean} passes"
    return passes if _all_passed(told) else f"{counted(told.clean, 'result')} with evidence"


def _over(told: Recovery, *, title: str, lead: str, tone: Tone) -> Message:
    newest, oldest = told.row[0], told.row[-1]
    return Message(
        title=line(title, 200),
        lead=lead,
        tone=tone,
        facts=facts(
            (
                ("commit", short(commit_of(newest))),
                ("branch", newest.subject.get("branch", "")),
                ("environment", newest.environment_class),
                ("first good", seen(oldest)),
            )
        ),
        links=links(told.routing.links, result=newest),
        cause=told.cause.key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What is known of a cause that is gone, or seems so. ``row``: the clean results, newest first; there is at least one."""

    routing: Routing
    cause: Cause
    members: tuple[Cause, ...]
    row: tuple[PastScenario, ...]
    clean: int
    begun: int
    flapping: bool


def named(cause: Cause, members: Sequence[Cause]) -> str:
    """A cause in words, without what kind it is."""
    if not cause.storm:
        return ", ".join(part for part in (cause.scenario, cause.objective) if part) or cause.words
    count = len({one.scenario for one in members if one.scenario})
    return f"{counted(count, 'scenario')}, one cause: {cause.shared}"


def _title(told: Telling) -> str:
    kind = told.worst.cause.kind
    causes = [*told.members, *(one.cause for one in told.sights)]
    about = named(told.cause, causes) if told.cause.storm else named(told.worst.cause, causes)
    return line(f"{told.routing.project}: {about}: {WORDS[kind]}", 200)


def _lead(told: Telling) -> str:
    sight = told.worst
    row = f" {sight.row} results in a row prove nothing." if sight.cause.kind in UNPROVEN and sight.row > 1 else ""
    return f"{_sentence(why(sight.result, sight.cause))}{row}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")


def _message(told: Telling, *, title: str, lead: str, loud: bool) -> Message:
    sight, found = told.worst, told.since
    result = sight.result
    return Message(
        title=line(title, 200),
        lead=line(lead, 600),
        tone=told.tone,
        facts=facts(
            (
                ("commit", short(commit_of(result))),
                ("branch", result.subject.get("branch", "")),
                ("environment", result.environment_class),
                ("severity", result.severity),
                ("owner", ", ".join(owners(one.result for one in told.sights))),
                ("first bad", seen(found.first_bad)),
                ("last good", last_good(found)),
            )
        ),
        sections=_sections(told),
        trend=trend(told.around.before(sight.cause), sight.cause),
        command=command(result, sight.cause),
        links=links(told.routing.links, result=result, found=found),
        cause=told.cause.key,
        mention=owners(one.result for one in told.sights) if loud else (),
    )


def _sections(told: Telling) -> tuple[Section, ...]:
    """Of several causes each one; of a single one its runs, where there are several."""
    ordered = sorted(told.sights, key=lambda one: (-weight(one.result.severity), one.cause.words))
    if len(ordered) > 1:
        points = tuple(
            Point(text=f"{line(one.cause.words, 120)}: {why(one.result, one.cause)}", tone=tone_of(one)) for one in ordered
        )
        return (Section(heading=f"{counted(len(points), 'cause')}", points=points),)
    runs = ordered[0].result.runs
    if len(runs) < 2:
        return ()
    best = telling_run(ordered[0].result, ordered[0].cause)
    points = tuple(
        Point(
            text=f"run {run.number}: {run.verdict}, seed {run.seed}",
            tone="neutral" if run.verdict == "pass" else "bad" if run.verdict == "fail" else "unsure",
        )
        for run in sorted(runs, key=lambda run: (run is not best, run.verdict == "pass", run.number))
    )
    return (Section(heading="runs", points=points),)


def tone_of(sight: Sight) -> Tone:
    return "unsure" if sight.cause.kind in UNPROVEN else "bad"

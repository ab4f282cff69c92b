"""Worlds and tests as frozen values: the grammar's models with every default filled in.

Takes a test document that the grammar admits; gives a ``TestFile``. What cannot be a series is said at its place and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meshkit_chaos import promql
from meshkit_chaos.promql import Labels, labels_of
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import flow
from meshkit_chaos.scenario.grammar_world import (
    NEVER,
    DeathText,
    ExpectedText,
    FollowsText,
    LeadsText,
    MembersWindowText,
    MetricsWindowText,
    ProbesWindowText,
    RecordTestText,
    RisesText,
    SeriesText,
    StepsText,
    TestsText,
    WindowText,
    WorldTestText,
    WorldText,
)
from meshkit_chaos.scenario.world import (
    Death,
    Expected,
    Follows,
    Leads,
    Rises,
    ScenarioTest,
    Steps,
    TestFile,
    Window,
    World,
    WorldSeries,
)
from meshkit_chaos.slo import Duration

_LONGEST_NAME = 120


def built_tests(text: TestsText, *, at: At, path: str, data: Any) -> TestFile:
    """Build every test. ``data`` is the document as plain values: a test without a name is called by its own text."""
    shared = _series(text.series or {}, at=at.below("series"))
    tests = tuple(
        _test(test, shared=shared, common=text, at=at.below("tests", number), data=data["tests"][number])
        for number, test in enumerate(text.tests)
    )
    return TestFile(path=path, scenarios=text.scenarios, environment=text.environment, tests=tests)


def _test(
    text: WorldTestText | RecordTestText, *, shared: Mapping[Labels, WorldSeries], common: TestsText, at: At, data: Any
) -> ScenarioTest:
    _expects_something(text.expect, at=at.below("expect"))
    told = text.world if isinstance(text, WorldTestText) else WorldText()
    about = flow(data["world"]) if isinstance(text, WorldTestText) else f"record {text.record}"
    about = "{healthy}" if about == "{}" else about
    return ScenarioTest(
        name=text.name or (about if len(about) <= _LONGEST_NAME else about[: _LONGEST_NAME - 1] + "…"),
        scenario=text.scenario,
        world=_world(told, shared=shared, common=common, at=at.below("world")),
        record=text.record if isinstance(text, RecordTestText) else None,
        expected=_expected(text.expect),
        line=at.line,
    )


def _expects_something(text: ExpectedText, *, at: At) -> None:
    if not text.model_fields_set:
        at.say("MC206", "the test expects nothing", hint="expect: pass")
    if text.objective and text.verdict is None:
        at.below("objective").say(
            "MC206", "`objective` goes with `verdict`: which one?", hint="add `verdict: fail`", of_key=True
        )


def _expected(text: ExpectedText) -> Expected:
    return Expected(
        verdict=text.verdict,
        environment=text.environment,
        outcome=text.outcome,
        blamed=tuple(text.objective or ()),
        objectives=dict(text.objectives or {}),
        says=text.says,
    )


def _world(text: WorldText, *, shared: Mapping[Labels, WorldSeries], common: TestsText, at: At) -> World:
    elects = text.leader_back_after != NEVER
    own = _series(text.series or {}, at=at.below("series"))
    return World(
        election=text.leader_back_after if isinstance(text.leader_back_after, Duration) else None,
        elects=elects,
        rejoin=text.members_back_after,
        out_of_order=_windows(text.out_of_order),
        two_leaders=_windows(text.two_leaders),
        vanish=_windows(text.metrics_vanish),
        not_numbers=_windows(text.metrics_are_nan),
        frozen=_windows(text.metrics_freeze),
        scrapes_fail=_windows(text.scrapes_fail),
        probes_fail=_windows(text.probes_fail),
        deaths=tuple(_death(death) for death in text.member_dies or ()),
        fault=text.fault or "works",
        rollback=text.rollback or "works",
        roles={name: tuple(members) for name, members in {**(common.roles or {}), **(text.roles or {})}.items()},
        probes={**(common.probes or {}), **(text.probes or {})},
        series=tuple({**shared, **own}.values()),
    )


def _windows(texts: Sequence[WindowText] | None) -> tuple[Window, ...]:
    return tuple(
        Window(begin=text.begin or Duration(0), lasting=text.lasting, mark=text.after or "fault", names=_about(text))
        for text in texts or ()
    )


def _about(text: WindowText) -> tuple[str, ...]:
    match text:
        case MetricsWindowText():
            return tuple(text.names or ())
        case MembersWindowText():
            return tuple(text.members or ())
        case ProbesWindowText():
            return tuple(text.probes or ())
    return ()


def _death(text: DeathText) -> Death:
    return Death(at=text.at, member=text.member, mark=text.after or "fault")


def _series(texts: Mapping[str, SeriesText], *, at: At) -> dict[Labels, WorldSeries]:
    found: dict[Labels, WorldSeries] = {}
    for written, text in texts.items():
        labels = _labels(written)
        if labels is None:
            message = f"{written!r} is not one series; expected a metric name, with labels given by ="
            at.below(written).say("MC205", message, hint="""such as 'my_shards{state="ok"}'""", of_key=True)
            continue
        found[labels] = WorldSeries(labels=labels, value=_value(text), exporter=_exporter(text))
    return found


def _labels(written: str) -> Labels | None:
    try:
        selector = promql.parse(written).plain_selector
    except promql.PromQLError:
        return None
    if selector is None or not selector.metric or selector.offset_ns:
        return None
    own = {matcher.name: matcher for matcher in selector.matchers if matcher.name != "__name__"}
    if any(matcher.op != "=" or matcher.name in {"member", "instance"} for matcher in own.values()):
        return None
    return labels_of(selector.metric, {name: matcher.value for name, matcher in own.items() if matcher.value})


def _value(text: SeriesText) -> Follows | Leads | Steps | Rises:
    match text:
        case FollowsText():
            return Follows(good=text.good, bad=text.bad)
        case LeadsText():
            return Leads(leader=text.leader, others=text.others)
        case StepsText():
            return Steps(good=text.good, steps=tuple(sorted(_pairs(text), key=lambda pair: pair[0])))
        case RisesText():
            return Rises(good=text.rises.good, bad=text.rises.bad)


def _pairs(text: StepsText) -> Iterable[tuple[Duration, Any]]:
    return text.steps.items()


def _exporter(text: SeriesText) -> Any:
    return "each" if isinstance(text, LeadsText) else text.by or "one"

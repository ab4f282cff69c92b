"""The indicators of a document: built, checked on their own, and known by what objectives must know of them.

Takes the grammar's indicators and the environment; gives the frozen indicators with the facts of their queries, and findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.checks import lint_check
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.exported import Exported, lint_exported
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar import IndicatorText, ProbeText
from meshkit_chaos.scenario.grammar_values import close_names
from meshkit_chaos.scenario.queries import QueryFacts, Unreadable, query_facts
from meshkit_chaos.scenario.reachable import known_in
from meshkit_chaos.scenario.templates import Known
from meshkit_chaos.slo import Band, CommandCheck, Duration, Indicator, Probe

_ALWAYS_THERE: Final = frozenset({"up", "probe_success", "probe_duration_seconds"})
_NEED: Final = {"any": ("max", Band(">=", 1.0)), "all": ("min", Band(">=", 1.0)), "majority": ("avg", Band(">", 0.5))}
_FASTEST_COMMAND: Final = Duration(10**9)
_FASTEST_PROBE: Final = Duration(10**7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """``every``: the length of the rounds that its query is evaluated in. ``facts`` is None where the query cannot be read."""

    indicator: Indicator
    every: Duration
    facts: QueryFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lies outside the scenario document: ``environment`` where it is known, and the length of a scraping round.

    ``exported``: what a target exports, where somebody looked.
    """

    environment: EnvironmentDescription | None
    round_every: Duration
    exported: Exported | None = None

    @property
    def known_templates(self) -> Known:
        environment = self.environment
        if environment is None:
            return Known()
        return known_in(environment)


def measured_indicators(written: Mapping[str, IndicatorText], *, at: At, around: Surroundings) -> dict[str, Measured]:
    """Build every indicator. One with a problem of its own is there too, so that references to it are not told as unknown."""
    known = around.known_templates
    return {name: _measured(name, text, at=at.below(name), around=around, known=known) for name, text in written.items()}


def _measured(name: str, text: IndicatorText, *, at: At, around: Surroundings, known: Known) -> Measured:
    probe = _probe(name, text.probe, at=at.below("probe"), known=known) if text.probe is not None else None
    query, band = _query_and_band(name, text, at=at)
    facts = _facts(query, text=text, at=at, around=around) if text.promql is not None else query_facts(query)
    measures = text.promql is not None or text.probe is not None
    if (
        measures
        and isinstance(facts, QueryFacts)
        and (text.kind or "state") == "state"
        and (text.promql is None or text.good is not None)
    ):
        _lint_purpose(facts, band, at=at.below("promql" if text.promql is not None else "good"))
    indicator = Indicator(
        name=name,
        query=query,
        band=band,
        kind=text.kind or "state",
        source=name if probe is not None else "scrape",
        probe=probe,
        description=text.description or "",
        missing=text.missing or "unknown",
    )
    every = probe.every if probe is not None else around.round_every
    return Measured(indicator=indicator, every=every, facts=facts if isinstance(facts, QueryFacts) else None)


def _query_and_band(name: str, text: IndicatorText, *, at: At) -> tuple[str, Band]:
    if text.promql is None and text.probe is None:
        at.say("MC012", f"the indicator {name!r} measures nothing", hint="give it `promql:` or `probe:`", of_key=True)
        return "vector(NaN)", Band("==", 1.0)
    if text.promql is None:
        assert text.probe is not None
        if text.kind == "event":
            at.below("kind").say("MC112", "a probe alone is a state, not a counter", hint="remove `kind:`")
        aggregate, band = _NEED[text.probe.need or "any"]
        return f'{aggregate}(probe_success{{probe="{name}"}})', text.good or band
    if text.probe is not None and text.probe.need is not None:
        hint = "keep `need`, or the query"
        at.below("probe", "need").say(
            "MC014", "`need` and `promql` both say what the probe's answers mean", hint=hint, of_key=True
        )
    if text.good is None and text.kind != "event":
        at.say("MC113", f"the indicator {name!r} does not say which values are good", hint='good: "== 1"', of_key=True)
    return text.promql, text.good or Band("==", 0.0 if text.kind == "event" else 1.0)


def _facts(query: str, *, text: IndicatorText, at: At, around: Surroundings) -> QueryFacts | Unreadable:
    at = at.below("promql")
    facts = query_facts(query)
    if isinstance(facts, Unreadable):
        at.say("MC103", facts.reason)
        return facts
    _lint_metrics(facts, text=text, at=at, around=around)
    if text.kind == "event" and not facts.counter:
        at.say("MC112", "an event indicator needs a plain counter", hint="write the metric alone, such as errors_total")
    return facts


def _lint_purpose(facts: QueryFacts, band: Band, *, at: At) -> None:
    reason = facts.pointless(band)
    if reason is not None:
        hint = (
            "leave the comparison out of the query and say it as `good:`" if facts.filters else "change `good:`, or the query"
        )
        at.say("MC105", reason, hint=hint)


def _lint_metrics(facts: QueryFacts, *, text: IndicatorText, at: At, around: Surroundings) -> None:
    if around.exported is not None and text.probe is None:
        lint_exported(facts.query, around.exported, known=_ALWAYS_THERE, at=at)
    environment = around.environment
    if environment is None:
        return
    wanted = sorted(facts.metrics - _ALWAYS_THERE)
    if wanted and environment.metrics is None:
        at.say(
            "MC104", f"the environment {environment.name} has no metrics to read {wanted[0]} from", hint="give it `metrics:`"
        )
        return
    names = environment.metrics.names if environment.metrics is not None else ()
    for metric in wanted if names and around.exported is None else ():  # what was seen counts for more than what is listed
        if metric not in names:
            near = close_names(metric, names)
            hint = f"did you mean {near[0]}?" if near else f"add it to metrics.names in {environment.path}, if it is there"
            at.say("MC104", f"the environment {environment.name} does not list the metric {metric}", hint=hint)
    if text.probe is not None and wanted:
        at.say("MC104", f"a probe's query reads only the probe's series, not {wanted[0]}", hint="make it two indicators")


def _probe(name: str, text: ProbeText, *, at: At, known: Known) -> Probe:
    check = text.value()
    lint_check(check, at=at, known=known)
    is_command = isinstance(check, CommandCheck)
    every = text.every or Duration.parse(defaults.COMMAND_PROBE_EVERY if is_command else defaults.PROBE_EVERY)
    fastest = _FASTEST_COMMAND if is_command else _FASTEST_PROBE
    if every < fastest:
        what = "a command" if is_command else "a probe"
        at.below("every").say("MC119", f"{what} every {every} is too often; at most every {fastest}", hint=f"write {fastest}")
    return Probe(name=name, check=check, every=every, timeout=text.timeout or every)

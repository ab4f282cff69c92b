"""A new scenario from a few words: a fault, a target, and service level objectives as one line each.

Takes texts as they stand on a command line; gives the parts of a scenario, and its text. Refuses (ValueError) what cannot be
read, with what was expected.

An objective is ``QUERY BAND within 5s`` (``… within 5s of the revert``), or ``QUERY BAND during PHASE``; in place of query and
band, the name of an indicator that the document has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, get_args

from meshkit_chaos import promql
from meshkit_chaos.faults import CATALOGUE, nearest
from meshkit_chaos.scenario.grammar import ObservedPhase
from meshkit_chaos.scenario.grammar_values import IDENTIFIER, close_names
from meshkit_chaos.scenario.insertion import quoted
from meshkit_chaos.slo import Band, Duration, Ratio

_TAIL: Final = re.compile(
    r"(?s)(?P<what>.+?)\s+(?:within\s+(?P<within>\S+)(?P<revert>\s+of\s+the\s+revert)?|during\s+(?P<phase>\S+))\s*"
)
_BAND: Final = re.compile(
    r"(?s)(?P<query>.+?)\s*(?P<band>(?:==|!=|<=|>=|<|>)\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?|between\s+\S+\s+and\s+\S+)\s*"
)
_EXPECTED: Final = "expected 'QUERY BAND within DURATION', such as 'sum(etcd_server_is_leader) == 1 within 5s'"
_TARGET_KEYS: Final = ("role", "not_role", "names", "count", "share")
_TARGET_EXPECTED: Final = "expected role=NAME, not_role=NAME, names=A,B, count=N or share=N%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One objective. ``query`` and ``band`` are None where ``indicator`` names one that the document has."""

    form: str
    indicator: str
    query: str | None = None
    band: Band | None = None
    within: Duration | None = None
    phase: str | None = None

    def text(self) -> str:
        """As an item of ``objectives``."""
        rest = f"within: {self.within}" if self.within is not None else f"during: {self.phase}"
        return f"- {{{self.form}: {self.indicator}, {rest}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """``hold`` None: the fault is over once injected, or stays until the rollback."""

    id: str
    title: str
    fault: str
    target: Mapping[str, str]
    hold: Duration | None
    demands: tuple[Demand, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def text(self, *, steady_state: bool) -> str:
        """The scenario as an item of ``scenarios``. ``steady_state``: it must say itself what normal is."""
        hold = f", hold: {self.hold}" if self.hold is not None else ""
        given = ", ".join(f"{key}: {value}" for key, value in self.parameters.items())
        more = f", with: {{{given}}}{hold}" if given else hold
        target = ", ".join(f"{key}: {value}" for key, value in self.target.items())
        lines = [f"- id: {self.id}", f"  title: {quoted(self.title)}"]
        if steady_state:
            names = ", ".join(dict.fromkeys(demand.indicator for demand in self.demands))
            lines.append(f"  steady_state: {{for: 2s, indicators: [{names}]}}")
        if (count := int(self.target.get("count", "1"))) > 1:
            lines.append(f"  blast_radius: {{members: {count}}}")
        lines += ["  steps:", f"    - {{fault: {self.fault}, target: {{{target}}}{more}}}", "  objectives:"]
        return "\n".join([*lines, *(f"    {demand.text()}" for demand in self.demands)]) + "\n"

    def indicators(self) -> tuple[str, ...]:
        """Each new indicator as a key of ``indicators``."""
        new = {demand.indicator: demand for demand in self.demands if demand.query is not None}
        return tuple(
            f'{name}:\n  promql: {quoted(str(demand.query))}\n  good: "{demand.band}"\n' for name, demand in new.items()
        )


def read_demand(text: str, known: Mapping[str, tuple[str, Band] | None]) -> Demand:
    """Read one objective. ``known``: the document's indicators by name, with query and band where they matter."""
    found = _TAIL.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} does not say `within` or `during`; {_EXPECTED}")
    form = "stay" if found["phase"] else "recover" if found["revert"] else "converge"
    within = Duration.parse(found["within"]) if found["within"] else None
    if found["phase"] and found["phase"] not in get_args(ObservedPhase):
        raise ValueError(f"{found['phase']!r} is no phase; expected one of {', '.join(get_args(ObservedPhase))}")
    if found["what"] in known:
        return Demand(form=form, indicator=found["what"], within=within, phase=found["phase"])
    query, band = _query_and_band(found["what"], known)
    same = next((name for name, kept in known.items() if kept == (query, band)), None)
    if same is not None:
        return Demand(form=form, indicator=same, within=within, phase=found["phase"])
    name = _new_name(query, known)
    return Demand(form=form, indicator=name, query=query, band=band, within=within, phase=found["phase"])


def _query_and_band(what: str, known: Mapping[str, object]) -> tuple[str, Band]:
    found = _BAND.fullmatch(what)
    if found is None:
        near = close_names(what, list(known))
        hint = f"did you mean the indicator {near[0]!r}?" if near else _EXPECTED
        raise ValueError(f"{what!r} has no band and is no indicator; {hint}")
    try:
        promql.parse(found["query"])
    except promql.PromQLError as error:
        raise ValueError(f"the query {found['query']!r} cannot be read: {error}") from None
    return found["query"], Band.parse(found["band"])


def _new_name(query: str, known: Mapping[str, object]) -> str:
    metrics = promql.parse(query).metric_names
    name = re.sub(r"[^a-z0-9]+", "-", (metrics[0] if metrics else "indicator").lower()).strip("-")[:60] or "indicator"
    numbered = (f"{name}-{number}" for number in range(2, 1000))
    return name if name not in known else next(found for found in numbered if found not in known)


def read_target(texts: Sequence[str]) -> dict[str, str]:
    """Read ``role=leader``, ``count=1`` and the like into the target's keys, with values as YAML."""
    target: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if key not in _TARGET_KEYS:
            near = close_names(key, list(_TARGET_KEYS))
            raise ValueError(
                f"{text!r} has the unknown key {key!r}; " + (f"did you mean {near[0]!r}?" if near else _TARGET_EXPECTED)
            )
        if not equals or not value:
            raise ValueError(f"{text!r} has no value; {_TARGET_EXPECTED}")
        if key in target:
            raise ValueError(f"{key!r} is given twice: {target[key]} and {value}")
        target[key] = _target_value(key, value)
    return target


def _target_value(key: str, value: str) -> str:
    match key:
        case "count":
            if not value.isdecimal() or not 1 <= int(value) <= 1000:
                raise ValueError(f"count={value} is not a number of members; expected 1 to 1000")
            return str(int(value))
        case "share":
            return str(Ratio.parse(value))
        case "names":
            return "[" + ", ".join(quoted(name.strip()) for name in value.split(",")) + "]"
    return quoted(value)


def read_parameters(texts: Sequence[str]) -> dict[str, str]:
    """Read ``delay=100ms`` and the like into a fault's parameters, with values as YAML. Whether they fit is for lint to say."""
    given: dict[str, str] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or not value:
            raise ValueError(f"{text!r} is no parameter; expected NAME=VALUE, such as delay=100ms")
        if key in given:
            raise ValueError(f"{key!r} is given twice: {given[key]} and {value}")
        given[key] = value if re.fullmatch(r"[-+]?[\d.]+(%|[a-z]+)?|[a-z]+", value) else quoted(value)
    return given


def read_fault(kind: str) -> str:
    """The fault, if there is one of that name."""
    if kind in CATALOGUE:
        return kind
    near = nearest(kind)
    raise ValueError(
        f"there is no fault {kind!r}; " + (f"did you mean {near!r}?" if near else f"known: {', '.join(CATALOGUE)}")
    )


def read_id(name: str, taken: Sequence[str]) -> str:
    """The scenario's id, if it is one and is free."""
    if not IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is not an id; expected small letters, digits and '-', at most 64")
    if name in taken:
        raise ValueError(f"there is a scenario {name!r} already; choose another id, or edit that one")
    return name

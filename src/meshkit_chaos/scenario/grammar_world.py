"""The grammar of ``chaos-scenarios.test.yaml``, version 1: worlds in virtual time, and the verdicts expected in them.

Takes plain values; gives models that mirror the document. Refuses what is not in the grammar. The descriptions are the source
of the JSON Schema and of the reference.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PlainValidator, Tag
from pydantic_core import PydanticCustomError

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.grammar_values import (
    TAG_MARK,
    Identifier,
    Line,
    Looks,
    Span,
    SpanOrZero,
    Strict,
    Text,
    Version,
    key,
    needed,
    one_of_keys,
    told,
)
from meshkit_chaos.scenario.world import Behind, Environments, Exporter, Mark, Outcomes, Verdicts, WorldValue
from meshkit_chaos.slo import Duration

NEVER = "never"


def _refuse(said: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("quantity", "{said}", {"said": said, "hint": hint})


def _value(given: Any) -> WorldValue:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    if given == "NaN":
        return math.nan
    if given == "absent":
        return "absent"
    near = next((word for word in ("NaN", "absent") if isinstance(given, str) and given.lower() == word.lower()), "")
    raise _refuse(f"expected a number, NaN or absent, got {told(given)}", f"write {near}" if near else "")


def _span_or_never(given: Any) -> Duration | Literal["never"]:
    if given == NEVER:
        return "never"
    if isinstance(given, str):
        try:
            return Duration.parse(given)
        except ValueError as error:
            raise _refuse(str(error)) from None
    hint = f"write {given}s" if isinstance(given, int | float) and not isinstance(given, bool) else ""
    raise _refuse(f"expected a duration such as 3s, or never, got {told(given)}", hint)


_SPAN_OR_NEVER = {"type": "string", "pattern": r"^(never|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+)$"}
Value = Annotated[
    WorldValue,
    PlainValidator(_value),
    Looks("value", anyOf=[{"type": "number"}, {"type": "string", "enum": ["NaN", "absent"]}]),
]
SpanOrNever = Annotated[
    Duration | Literal["never"], PlainValidator(_span_or_never), Looks("duration or never", **_SPAN_OR_NEVER)
]
Number = Annotated[float, BeforeValidator(lambda given: float(given) if type(given) is int else given), Field(ge=0)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class WindowText(Strict):
    """A stretch of virtual time."""

    begin: SpanOrZero | None = key("When it begins, after the mark.", default="0s", alias="from", examples=["1s"])
    lasting: Span | None = key("How long it lasts. Without it: to the end of the run.", alias="for", examples=["4s"])
    after: Mark | None = key(
        "The mark: the first injection, the last finished revert, or the start of the run.", default="fault"
    )


class MetricsWindowText(WindowText):
    """A stretch of virtual time in which something happens to metrics."""

    names: Annotated[list[Line], Field(min_length=1)] | None = key("These metrics only. By default all.")


class MembersWindowText(WindowText):
    """A stretch of virtual time in which something happens to members."""

    members: Annotated[list[Line], Field(min_length=1)] | None = key("These members only. By default all.")


class ProbesWindowText(WindowText):
    """A stretch of virtual time in which something happens to probes."""

    probes: Annotated[list[Line], Field(min_length=1)] | None = key(
        "These probes only, by the names of their indicators. By default all."
    )


Windows = Annotated[
    list[WindowText], Field(min_length=1), BeforeValidator(_as_list, json_schema_input_type=WindowText | list[WindowText])
]
MetricsWindows = Annotated[
    list[MetricsWindowText],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=MetricsWindowText | list[MetricsWindowText]),
]
MembersWindows = Annotated[
    list[MembersWindowText],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=MembersWindowText | list[MembersWindowText]),
]
ProbesWindows = Annotated[
    list[ProbesWindowText],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=ProbesWindowText | list[ProbesWindowText]),
]


class DeathText(Strict):
    """A member's end that is no fault's doing."""

    at: SpanOrZero = needed("When, after the mark.", examples=["2s"])
    member: Line | None = key("Which one. By default the last one that does not lead and that no fault holds.")
    after: Mark | None = key(
        "The mark: the first injection, the last finished revert, or the start of the run.", default="fault"
    )


Deaths = Annotated[
    list[DeathText], Field(min_length=1), BeforeValidator(_as_list, json_schema_input_type=DeathText | list[DeathText])
]


class FollowsText(Strict):
    """A series that follows the mesh: one value while it is in order, another while it is not."""

    good: Value = needed("Its value while the mesh is in order.", examples=[1])
    bad: Value = needed("Its value while the mesh has no leader or is out of order.", examples=[0])
    by: Exporter | None = key("`one`: one member that is up exports it. `each`: every member that is up.", default="one")


class LeadsText(Strict):
    """A series that says who leads. Every member exports it."""

    leader: Value = needed("Its value on a member that says it leads.", examples=[1])
    others: Value = needed("Its value on the others.", examples=[0])


class StepsText(Strict):
    """A series told step by step."""

    good: Value = needed("Its value until the first step.", examples=[1])
    steps: Annotated[dict[SpanOrZero, Value], Field(min_length=1)] = needed(
        "Its value from each time on, counted from the first injection.", examples=[{"0s": 0, "3s": 1}]
    )
    by: Exporter | None = key("`one`: one member that is up exports it. `each`: every member that is up.", default="one")


class RatesText(Strict):
    """How fast a counter rises, a second."""

    good: Number = needed("While the mesh is in order.", examples=[0])
    bad: Number = needed("While it is not.", examples=[50])


class RisesText(Strict):
    """A counter."""

    rises: RatesText = needed("How fast it rises, a second.", examples=[{"good": 0, "bad": 50}])
    by: Exporter | None = key("`one`: one member that is up exports it. `each`: every member that is up.", default="one")


def _series_form(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    found = next((name for name in ("steps", "rises", "leader") if name in value), None)
    return TAG_MARK + (found or "bad")


_SERIES_SAID = "a series is a mapping with good and bad, good and steps, leader and others, or rises"
SeriesText = Annotated[
    Annotated[FollowsText, Tag(TAG_MARK + "bad")]
    | Annotated[StepsText, Tag(TAG_MARK + "steps")]
    | Annotated[LeadsText, Tag(TAG_MARK + "leader")]
    | Annotated[RisesText, Tag(TAG_MARK + "rises")],
    Discriminator(_series_form, custom_error_type="union", custom_error_message=_SERIES_SAID),
]
LeverText = Literal["works", "fails", "lies", "hangs"]


class WorldText(Strict):
    """How the mesh behaves. Whatever is left out is as on a healthy simulated mesh. `{}` is a healthy one."""

    leader_back_after: SpanOrNever | None = key(
        "How long the mesh is without a leader, once it has lost its leader and a majority is there.",
        default=defaults.ELECTION,
        alias="leader back after",
        examples=["3s", NEVER],
    )
    members_back_after: Span | None = key(
        "How long a restarted member needs to take part again.", default=defaults.REJOIN, alias="members back after"
    )
    out_of_order: Windows | None = key(
        "When nobody leads and no write is accepted, whatever the fault hit. Several of them are flaps.",
        alias="out of order",
        examples=[{"from": "0s", "for": "3s"}],
    )
    two_leaders: Windows | None = key(
        "When a second member says that it leads too.", alias="two leaders", examples=[{"from": "1s", "for": "2s"}]
    )
    metrics_vanish: MetricsWindows | None = key(
        "When metrics are not exported.", alias="metrics vanish", examples=[{"from": "1s", "for": "4s"}]
    )
    metrics_are_nan: MetricsWindows | None = key(
        "When metrics are NaN.", alias="metrics are NaN", examples=[{"from": "1s", "for": "4s"}]
    )
    metrics_freeze: MetricsWindows | None = key(
        "When metrics keep the value that they had, whatever happens.", alias="metrics freeze", examples=[{"from": "0s"}]
    )
    scrapes_fail: MembersWindows | None = key(
        "When members do not answer scrapes.", alias="scrapes fail", examples=[{"from": "1s", "for": "1s"}]
    )
    probes_fail: ProbesWindows | None = key(
        "When probes fail at once.", alias="probes fail", examples=[{"from": "0s", "for": "2s"}]
    )
    member_dies: Deaths | None = key("A member ends by itself.", alias="member dies", examples=[{"at": "2s"}])
    fault: LeverText | None = key(
        "What the levers of an injection do: their work, raise, report success without doing anything, or never return.",
        default="works",
    )
    rollback: LeverText | None = key("What the levers of a revert do.", default="works")
    roles: dict[Identifier, list[Line]] | None = key(
        "Who has a role. By default, each role is the leader's.", examples=[{"replica": ["node-2", "node-3"]}]
    )
    probes: dict[Line, Behind] | None = key(
        "What a probe's answer needs: the `mesh` in order (a write), only the `member` itself (a health check), or that the "
        "member is the `leader` (a probe that tells roles). By default the mesh.",
        examples=[{"health": "member"}],
    )
    series: dict[Line, SeriesText] | None = key(
        "The series that members export besides the built-in ones, by name and labels as in a selector.",
        examples=[{"my_shards_owned": {"good": 12, "bad": 9}}],
    )


def _as_lines(value: object) -> object:
    return [value] if isinstance(value, str) else value


Lines = Annotated[list[Line], Field(min_length=1), BeforeValidator(_as_lines, json_schema_input_type=Line | list[Line])]


class ExpectedText(Strict):
    """What must come out. At least one key."""

    verdict: Verdicts | None = key("The verdict of the run.", examples=["fail"])
    objective: Lines | None = key(
        "The objective (or list of objectives) that must have this verdict too: the reason, not just the result.",
        examples=["converge-one-leader"],
    )
    objectives: dict[Line, Verdicts] | None = key(
        "The verdicts of objectives, by their ids.", examples=[{"converge-one-leader": "pass"}]
    )
    environment: Environments | None = key("How the environment was left.", examples=["dirty"])
    outcome: Outcomes | None = key("Whether the run came to its end.")
    says: Text | None = key("A phrase that one of the findings must hold.", examples=["did not bite"])


def _expected(value: Any) -> Any:
    return {"verdict": value} if isinstance(value, str) else value


Expect = Annotated[ExpectedText, BeforeValidator(_expected, json_schema_input_type=Verdicts | ExpectedText)]


class WorldTestText(Strict):
    """A test in virtual time."""

    world: WorldText = needed("How the mesh behaves.", examples=[{"leader back after": "3s"}])
    expect: Expect = needed("What must come out: a verdict, or a mapping.", examples=["pass"])
    scenario: Line | None = key("The scenario's id. By default every scenario of the document.", examples=["leader-killed"])
    name: Line | None = key("What results call the test. By default the scenario and the world.")


class RecordTestText(Strict):
    """A test on a recorded run, judged again with the thresholds of today."""

    record: Line = needed(
        "The folder of a run, relative to this file.", examples=["chaos-results/night/runs/leader-killed/001"]
    )
    expect: Expect = needed("What must come out: a verdict, or a mapping.", examples=["fail"])
    scenario: Line | None = key("The scenario's id. By default the one that was run.")
    name: Line | None = key("What results call the test. By default the scenario and the record.")


TestText = Annotated[
    Annotated[WorldTestText, Tag(TAG_MARK + "world")] | Annotated[RecordTestText, Tag(TAG_MARK + "record")],
    one_of_keys("world", "record", what="a test"),
]


class TestsText(Strict):
    """The whole document."""

    __test__ = False  # it is no test case of pytest's

    version: Version = needed("The version of this grammar: 1.")
    scenarios: Line = needed("The scenario document, relative to this file.", examples=["chaos-scenarios.yaml"])
    environment: Line | None = key(
        "The environment document whose members and roles the worlds have, relative to this file. "
        "By default the one that the scenario document names."
    )
    series: dict[Line, SeriesText] | None = key(
        "Series that every world has; a world's own series of the same name and labels replaces it.",
        examples=[{"my_shards_owned": {"good": 12, "bad": 9}}],
    )
    roles: dict[Identifier, list[Line]] | None = key("Roles in every world.")
    probes: dict[Line, Behind] | None = key("What probes need in every world.")
    tests: Annotated[list[TestText], Field(min_length=1)] = needed("The tests.")

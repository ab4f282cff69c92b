"""The grammar of ``chaos-scenarios.yaml``, version 1: which keys stand where, and what each means.

Takes plain values; gives models that mirror the document, with defaults still open. Refuses what is not in the grammar. The
descriptions are the source of the JSON Schema and of the reference.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, Tag

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.grammar_checks import CheckText
from meshkit_chaos.scenario.grammar_values import (
    TAG_MARK,
    BandText,
    Identifier,
    Line,
    Scalar,
    Share,
    SomeShare,
    Span,
    SpanOrZero,
    Strict,
    Text,
    Version,
    key,
    needed,
    one_of_keys,
)
from meshkit_chaos.scenario.model import Importance

Names = Annotated[list[Line], Field(min_length=1)]
Whole = Annotated[int, Field(ge=1, le=1000)]
ObservedPhase = Literal["baseline", "inject", "hold", "revert", "settle", "verify"]


class ProbeText(CheckText):
    """A check that runs against every member, on schedule, during the whole run."""

    every: Span | None = key(
        "How often each member is asked. A command runs at 1s or slower.", default=defaults.PROBE_EVERY, examples=["100ms"]
    )
    timeout: Span | None = key(
        "When a missing answer counts as a failure. By default the value of `every`.", examples=["500ms"]
    )
    need: Literal["any", "all", "majority"] | None = key(
        "How many members must answer for the indicator to be good. Leave it out where `promql` reads the probe's series.",
        default="any",
    )


class IndicatorText(Strict):
    """A number over time, and the band in which it is good: a PromQL query, or a probe of the members."""

    promql: Line | None = key(
        "The query. Its value is one number. Beside a `probe`, it reads `probe_success` and `probe_duration_seconds`.",
        examples=["sum(etcd_server_is_leader)"],
    )
    probe: ProbeText | None = key("Ask the members directly.")
    good: BandText | None = key(
        'The band: `== 1`, `<= 0.5`, `between 1 and 3`. Quote it: `">= 1"`. '
        "Probes have one by `need`; for `kind: event` it is `== 0`, no increase.",
        examples=["== 1", "between 1 and 3"],
    )
    kind: Literal["state", "event"] | None = key(
        "`state`: the value itself is good or bad. `event`: the query is a plain counter, and its increase is what counts.",
        default="state",
    )
    missing: Literal["unknown", "skip"] | None = key(
        "What becomes of a round in which one series is NaN, or a member that answers no longer exports what it did in the "
        "baseline: the round is `unknown`, or the series is left out as Prometheus does (`skip`).",
        default="unknown",
    )
    description: Text | None = key("What it means that the indicator is good, for reports.")


class TargetText(Strict):
    """Which members a fault hits: the candidates, then how many of them. An empty `{}` is any one member."""

    names: Names | None = key("These members, by exact name.", examples=[["etcd-1"]])
    role: Line | None = key("The members that have this role when the fault is injected.", examples=["leader"])
    not_role: Line | None = key("Not the members that have this role.", examples=["leader"])
    count: Whole | None = key("So many of the candidates, drawn by the plan's seed.", examples=[1])
    share: SomeShare | None = key("This share of the candidates, rounded up.", examples=["30%"])


class FaultText(Strict):
    """A step that injects a fault."""

    fault: Line = needed("The kind of fault.", examples=["kill", "pause", "restart"])
    id: Identifier | None = key("The step's name, for `after` and `revert`. By default `fault-N`, N being the step's position.")
    target: TargetText = needed("Which members.", examples=[{"role": "leader"}, {"count": 1}])
    hold: Span | None = key("Keep the fault this long, then revert it. Without it: until a `revert` step, or the rollback.")
    parameters: dict[str, Scalar] | None = key(
        "The fault's parameters, where it has any.", alias="with", examples=[{"delay": "100ms"}]
    )
    when: WhenText | None = key(
        "Wait for this before the injection.", examples=[{"until": "one-leader", "is": "bad", "timeout": "5s"}]
    )
    ramp: RampText | None = key("Change one parameter little by little while the fault is held.")


class RampText(Strict):
    """How a parameter of a held fault changes: from its value in `with`, in equal steps. It begins with the injection."""

    parameter: Line = needed("The parameter.", examples=["delay"])
    to: Scalar = needed("Its value at the end.", examples=["500ms"])
    over: Span = needed("How long it takes.", examples=["10s"])
    steps: Annotated[int, Field(ge=1, le=100)] | None = key("In how many steps.", default=defaults.RAMP_STEPS)


class WaitText(Strict):
    """A step that lets time pass."""

    wait: Span = needed("How long.", examples=["2s"])
    jitter: Span | None = key("Up to so much longer, drawn by the plan's seed.", examples=["500ms"])
    id: Identifier | None = key("The step's name.")


class WhenText(Strict):
    """What is waited for before a fault is injected: an indicator is good, or bad."""

    until: Line = needed("The indicator.")
    state: Literal["good", "bad"] | None = key("What it is waited for to be.", alias="is", default="good")
    timeout: Span = needed("How long to wait at most. Then the run is aborted and rolled back.", examples=["5s"])
    or_go_on: bool | None = key("At the time-out, go on instead.", default=False)


class UntilText(WhenText):
    """A step that waits until an indicator is good, or bad."""

    id: Identifier | None = key("The step's name.")


class RevertText(Strict):
    """A step that undoes a fault that is still held."""

    revert: Line = needed("The `id` of the fault's step. What it injected several times is undone newest first.")
    id: Identifier | None = key("The step's name.")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class ParallelText(Strict):
    """A step whose branches run at once; it ends when all have."""

    parallel: Annotated[list[Branch], Field(min_length=1)] = needed("The branches: each a step, or a list of steps.")
    id: Identifier | None = key("The step's name.")


class RepeatText(Strict):
    """Steps that are done again and again."""

    repeat: Whole = needed("How many times.", examples=[5])
    steps: list[StepText] = needed("What is done each time, one after another.")
    every: Span | None = key(
        "From the beginning of one time to the beginning of the next; what takes longer is not cut short. "
        "By default one time follows at once on the other.",
        examples=["5s"],
    )
    jitter: Span | None = key(
        "Each time begins up to so much later, drawn by the plan's seed; it does not add up.", examples=["500ms"]
    )
    id: Identifier | None = key("The step's name.")


StepText = Annotated[
    Annotated[FaultText, Tag(TAG_MARK + "fault")]
    | Annotated[WaitText, Tag(TAG_MARK + "wait")]
    | Annotated[UntilText, Tag(TAG_MARK + "until")]
    | Annotated[RevertText, Tag(TAG_MARK + "revert")]
    | Annotated[ParallelText, Tag(TAG_MARK + "parallel")]
    | Annotated[RepeatText, Tag(TAG_MARK + "repeat")],
    one_of_keys("fault", "wait", "until", "revert", "parallel", "repeat", what="a step"),
]
Branch = Annotated[list[StepText], Field(min_length=1), BeforeValidator(_as_list)]


class MembersNeed(Strict):
    """Before anything is injected: how many members are up."""

    members: BandText = needed("How many.", examples=[">= 3"])
    role: Line | None = key("Only those that have this role.", examples=["leader"])


class IndicatorNeed(Strict):
    """Before anything is injected: an indicator is good."""

    indicator: Line = needed("The indicator.")
    within: Span | None = key("How long to wait for it.", default=defaults.PREREQUISITE_WITHIN)


class CheckNeed(Strict):
    """Before anything is injected: a check holds on every member."""

    check: CheckText = needed("The check.")
    name: Line | None = key("What reports call it. By default `check-N`, N being its position.")
    within: Span | None = key("How long to wait for it.", default=defaults.PREREQUISITE_WITHIN)


NeedText = Annotated[
    Annotated[MembersNeed, Tag(TAG_MARK + "members")]
    | Annotated[IndicatorNeed, Tag(TAG_MARK + "indicator")]
    | Annotated[CheckNeed, Tag(TAG_MARK + "check")],
    one_of_keys("members", "indicator", "check", what="a prerequisite"),
]


class SteadyStateText(Strict):
    """What normal is: these indicators, good for the whole of the baseline phase. If they are not, the run proves nothing."""

    lasting: Span = needed("How long the baseline phase lasts.", alias="for", examples=["2s"])
    indicators: Names = needed("The indicators.", examples=[["one-leader"]])


class _Returning(Strict):
    within: Span = needed("The limit.", examples=["5s"])
    id: Identifier | None = key("The objective's name, unique in the scenario. By default the form and the indicator.")
    settle: SpanOrZero | None = key("How long the indicator must then stay good.", default=defaults.SETTLE)
    after: Line | None = key(
        "The `id` of the fault's step that counts. By default the first fault (converge), the last (recover)."
    )
    onset_within: Span | None = key("How late the disturbance may begin; the indicator is watched at least that long.")
    disturbance: Literal["required", "optional"] | None = key(
        "`required`: a fault that the indicator never saw proves nothing. `optional`: staying good is as good as recovering.",
        default="required",
    )
    flaps: Literal["counted", "allowed"] | None = key(
        "`counted`: the last bad instant decides. `allowed`: the first stretch of good ones does.", default="counted"
    )
    informational: bool | None = key("Measured and kept, never judged.", default=False)


class ConvergeText(_Returning):
    """The indicator is back in its band soon enough after the injection, while the fault may still be held."""

    converge: Line = needed("The indicator.", examples=["one-leader"])


class RecoverText(_Returning):
    """The indicator is back in its band soon enough after the fault was reverted."""

    recover: Line = needed("The indicator.", examples=["one-leader"])


class StayText(Strict):
    """The indicator stays in its band during a phase."""

    stay: Line = needed("The indicator.", examples=["writes"])
    during: ObservedPhase = needed("The phase.", examples=["baseline"])
    id: Identifier | None = key("The objective's name, unique in the scenario. By default the form and the indicator.")
    allowed: Share | None = key("The share of the phase that it may be out of its band.", default="0%", examples=["1%"])
    tolerate: SpanOrZero | None = key("Bad stretches no longer than this do not count. By default two rounds.")
    informational: bool | None = key("Measured and kept, never judged.", default=False)


ObjectiveText = Annotated[
    Annotated[ConvergeText, Tag(TAG_MARK + "converge")]
    | Annotated[RecoverText, Tag(TAG_MARK + "recover")]
    | Annotated[StayText, Tag(TAG_MARK + "stay")],
    one_of_keys("converge", "recover", "stay", what="an objective"),
]


class RollbackText(Strict):
    """What must hold once everything is undone."""

    within: Span | None = key("How long undoing may take.", default=defaults.ROLLBACK_WITHIN)
    verify: Names | None = key("Indicators that must be good again afterwards, besides the environment's fingerprint.")


class GuardRailText(Strict):
    """When to stop early: the run is aborted and rolled back."""

    indicator: Line = needed("The indicator.")
    bad_for: Span = needed("How long it may be bad without a break.", examples=["20s"])


class RepeatsText(Strict):
    """How many runs decide: fail at the `fail_at`-th failure, pass at the (`up_to` - `fail_at` + 1)-th pass, stop then."""

    up_to: Whole | None = key("The most runs.", default=1)
    fail_at: Whole | None = key("The failure that decides.", default=1)


class BlastRadiusText(Strict):
    """How many members may be under a fault at once. By default a minority of them, at least one."""

    members: Whole | None = key("So many.")
    share: SomeShare | None = key("This share of the members, rounded down. With `members`, the smaller of the two counts.")


class DefaultsText(Strict):
    """What scenarios have that do not say otherwise. A scenario's own key replaces the whole default."""

    owner: Line | None = key("Who answers for the scenario.")
    severity: Importance | None = key("How bad a failure is.", default=defaults.SEVERITY)
    tags: list[Line] | None = key("Words to select scenarios by.")
    modules: list[Line] | None = key("The parts of the mesh that the scenario is about.")
    steady_state: SteadyStateText | None = key("What normal is.")
    guard_rails: list[GuardRailText] | None = key("When to stop early.")
    rollback: RollbackText | None = key("What must hold once everything is undone.")
    repeats: RepeatsText | None = key("How many runs decide.")
    blast_radius: BlastRadiusText | None = key("How many members may be under a fault at once.")

    DEFAULTABLE: ClassVar[tuple[str, ...]] = (
        "owner", "severity", "tags", "modules", "steady_state", "guard_rails", "rollback", "repeats", "blast_radius",
    )  # fmt: skip


class ScenarioText(DefaultsText):
    """One experiment: what normal is, what is done to the mesh, what is demanded of it."""

    id: Identifier = needed("The scenario's name: of its folder, in reports and in the history.", examples=["leader-killed"])
    title: Line = needed("The claim that the scenario tests, in one sentence.")
    description: Text | None = key("More about it, for reports.")
    prerequisites: list[NeedText] | None = key("What must be true before; else the scenario is not run, with the reason.")
    steps: list[StepText] = needed("What is done, one after another.")
    objectives: list[ObjectiveText] = needed("What is demanded.")
    timeout: Span | None = key("How long the whole run may take.", default=defaults.TIMEOUT)


class ScenariosText(Strict):
    """The whole document."""

    version: Version = needed("The version of this grammar: 1.")
    environment: Line | None = key("The environment document, relative to this file.", examples=["etcd-lab.yaml"])
    defaults: DefaultsText | None = key("What scenarios have that do not say otherwise.")
    indicators: dict[Identifier, IndicatorText] | None = key("What is measured, by name.")
    scenarios: Annotated[list[ScenarioText], Field(min_length=1)] = needed("The scenarios.")

"""The grammar of ``chaos-gate.yaml`` and ``chaos-overrides.yaml``, version 1: which keys stand where, and what each means.

Takes plain values; gives models that mirror the documents, with defaults still open. Refuses what is not in the grammar. The
descriptions are the source of the JSON Schemas and of the reference.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from meshkit_chaos.scenario.grammar_values import (
    Identifier,
    Line,
    Looks,
    Share,
    SomeShare,
    Span,
    SpanOrZero,
    Strict,
    Text,
    Version,
    key,
    needed,
    told,
)

Whole = Annotated[int, Field(ge=1, le=1000)]
Names = Annotated[list[Line], Field(min_length=1)]
Pairs = Annotated[dict[Line, Line], Field(min_length=1)]
_DAY_OR_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant_ns(text: str) -> int:
    """A day (its start, UTC) or an instant with its zone, as wall-clock ns. Raises ValueError."""
    if not _DAY_OR_INSTANT.fullmatch(text):
        raise ValueError(f"{text!r} is no instant; expected a day such as 2026-12-01, or 2026-12-01T18:00:00Z")
    when = datetime.fromisoformat(text)
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000


def _instant(value: Any) -> int:
    if not isinstance(value, str):
        raise PydanticCustomError("quantity", "{said}", {"said": f"expected an instant, got {told(value)}", "hint": ""})
    try:
        return instant_ns(value)
    except ValueError as error:
        raise PydanticCustomError("quantity", "{said}", {"said": str(error), "hint": ""}) from None


Instant = Annotated[
    int, PlainValidator(_instant), Looks("instant", type="string", pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?$")
]


class AlternativeText(Strict):
    """What the printed power is the power to see."""

    fails: SomeShare | None = key("A new run fails this often.", default="50%")
    slower: SomeShare | None = key(
        "A new run is slower than an earlier one this often; half the time is no change.", default="90%"
    )


class BaselineText(Strict):
    """The earlier runs that a subject is compared with. They are of the same scenario and the same environment class."""

    subject: Pairs = needed("These pairs stand in the subject of a baseline run.", examples=[{"branch": "main"}])
    releases_by: Line | None = key(
        "The key of the subject that tells releases apart. Without it all baseline runs are one release.", examples=["version"]
    )
    releases: Annotated[int, Field(ge=1, le=20)] | None = key(
        "Compare with so many releases, the newest. A subject must not be worse than any of them, so that slow creep is seen.",
        default=3,
    )
    lag: SpanOrZero | None = key(
        "Leave out what is younger, so that today's breakage is no baseline of its own.", default="10d"
    )
    until: Instant | None = key("Freeze the baseline: leave out what came at this instant or later.", examples=["2026-11-01"])
    at_least: Annotated[int, Field(ge=2, le=60)] | None = key("A release with fewer runs is no baseline.", default=5)


class RegressionText(Strict):
    """How a subject is compared with earlier releases. The tests are exact, so the stated rate is an upper bound."""

    false_alarms: SomeShare | None = key(
        "How often an unchanged scenario × objective may be blamed, at most, if nothing drifts.", default="1%"
    )
    effect: Share | None = key("A median time that is worse by less is no news, however significant.", default="20%")
    dead_band: Share | None = key("A failure rate that is higher by less is no news.", default="5%")
    minimum_failures: Whole | None = key("Fewer failures than this are never a regression.", default=2)
    alternative: AlternativeText | None = key("What the printed power is the power to see.")
    baseline: BaselineText = needed("The earlier runs to compare with.")
    until_baseline: Literal["absolute-only", "closed"] | None = key(
        "While there is too little history: judge by the objectives' own limits only, or stay closed.", default="closed"
    )


class NightlyText(Strict):
    """When an invocation is expected. One that did not come is missing, and closes the gate."""

    cron: Line = needed("Five fields, as cron has them.", examples=["0 2 * * *"])
    timezone: Line | None = key("The zone of the schedule.", default="UTC", examples=["Europe/Berlin"])
    grace: Span | None = key("How late it may begin.", default="6h")
    subject: Pairs | None = key("Only an invocation with these pairs in its subject counts.", examples=[{"trigger": "nightly"}])


class RequirementText(Strict):
    """Scenarios that a release needs. What is given narrows; a scenario that is named without a glob is needed in any case."""

    id: Identifier = needed("The requirement's name.", examples=["leadership"])
    scenarios: Names | None = key("Ids or globs.", examples=[["leader-killed", "shard-*"]])
    tags: Names | None = key("Scenarios with any of these tags.", examples=[["release"]])
    modules: Names | None = key("Scenarios about any of these modules.", examples=[["leadership"]])
    severity: Literal["low", "medium", "high", "critical"] | None = key("Scenarios of this severity or a higher one.")
    objectives: Names | None = key("Only these objectives of them; each scenario must have all of them. By default all.")
    at_least: Whole | None = key("So many scenarios must be found, or the requirement is not met.", default=1)
    environment_class: Line | None = key("Only results of this class (or glob) count.", examples=["etcd-lab-*"])
    fresh: Span | None = key("How old a result may be.")
    runs: Whole | None = key("So many runs of a scenario must have passed.")
    mode: Literal["shadow", "blocking"] | None = key("`shadow` reports and neither blocks nor opens.")
    regression: Literal["on", "off"] | None = key("Whether it is compared with earlier releases, too.")


class GateText(Strict):
    """What must be known of a subject before it may be released."""

    version: Version = needed("The version of the grammar.", examples=[1])
    match: Literal["digest", "commit"] | None = key(
        "How a result is known to be of the subject: by the digests of the binaries that were deployed, or by the commit.",
        default="digest",
    )
    mode: Literal["shadow", "blocking"] | None = key("Of requirements that do not say it themselves.", default="blocking")
    environment_class: Line | None = key(
        "Of requirements that do not say it themselves, and of `exercised_within`. Without it any class counts."
    )
    fresh: Span | None = key("Of requirements that do not say it themselves.", default="36h")
    runs: Whole | None = key("Of requirements that do not say it themselves.", default=1)
    requirements: Annotated[list[RequirementText], Field(min_length=1)] = needed("What a release needs.")
    regression: RegressionText | None = key("How a subject is compared with earlier releases.")
    nightly: NightlyText | None = key("When an invocation is expected.")
    exercised_within: dict[Line, Span] | None = key(
        "By module: how long ago it may last have been under a fault, in any release.", examples=[{"leadership": "40d"}]
    )


class AcceptedText(Strict):
    """The number that is accepted: exactly one of the two."""

    within: Span | None = key("The objective's time, up to this. Every run must have been measured.", examples=["9s"])
    failing_runs: Whole | None = key("So many runs of the objective may have failed, at most.", examples=[1])

    @model_validator(mode="after")
    def _is_one(self) -> AcceptedText:
        if (self.within is None) != (self.failing_runs is None):
            return self
        got = "none of them" if self.within is None else "both"
        said = f"expected one of within and failing_runs, got {got}"
        raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": "such as accept: {within: 9s}"})


class ProofText(Strict):
    """How the approver is known: exactly one."""

    review: Line | None = key("The merged review.", examples=["https://forge.example/mesh/pull/7"])
    environment: Line | None = key("The approval record of a protected environment.", examples=["production, run 4711"])
    signature: Text | None = key("An SSH signature of the approver over what `gate override --statement` prints.")

    @model_validator(mode="after")
    def _is_one(self) -> ProofText:
        given = [name for name in ("review", "environment", "signature") if getattr(self, name) is not None]
        if len(given) == 1:
            return self
        said = f"expected one of review, environment and signature, got {' and '.join(given) or 'none of them'}"
        raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": ""})


class OverrideText(Strict):
    """One accepted exception."""

    id: Identifier = needed("Its name, unique in the file.", examples=["slow-leader-1-4-2"])
    subject: Pairs = needed("What it is for: `commit` or `digest`, and any more pairs.", examples=[{"commit": "9fceb02d"}])
    scenario: Line = needed("The scenario's id. No globs.", examples=["leader-killed"])
    objective: Line = needed("The objective's id. No globs.", examples=["converge-one-leader"])
    accept: AcceptedText = needed("The number that is accepted.", examples=[{"within": "9s"}])
    reason: Line = needed("Why this may be released.", examples=["the new lease is slower on two cores; fixed in 1.4.3"])
    ticket: Line = needed("Where it is followed up.", examples=["MESH-123"])
    author: Line = needed("Who asks for it.", examples=["ann"])
    approver: Line = needed("Who grants it: another person.", examples=["bo"])
    second_approver: Line | None = key("A third person. Needed from the second renewal on.", examples=["cy"])
    created: Instant = needed("When it was written.", examples=["2026-11-24"])
    expires: Instant = needed("When it ends, at most 90 days later.", examples=["2026-12-01"])
    proof: ProofText | None = key("How the approver is known. Without it, identity rests on branch protection.")


class OverridesText(Strict):
    """Exceptions from the gate, reviewed like code and read from the protected branch. Entries are added, not removed."""

    version: Version = needed("The version of the grammar.", examples=[1])
    overrides: list[OverrideText] = needed("The exceptions.")

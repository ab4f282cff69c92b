"""The decision: a policy, the evidence, overrides and a subject → open or closed, with every reason. Pure.

Only a pass opens. The law, held by tests: replacing a required result of the subject by a worse one, or removing one that
passed, never opens a gate that was closed. From good to bad the order is: a pass; no evidence, of whatever kind; a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from meshkit_chaos.clock import minute
from meshkit_chaos.gate.decision import (
    BLOCKED,
    EVIDENCE,
    GOOD,
    OPEN,
    UNPROVEN,
    Code,
    Decision,
    Item,
    OverrideUse,
)
from meshkit_chaos.gate.evidence import Asked, Evidence
from meshkit_chaos.gate.judging import Case, case, judged
from meshkit_chaos.gate.overrides import Checked, Override, Overrides
from meshkit_chaos.gate.policy import Policy, Requirement
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.gate.waiving import Refused, accepts, covers, identity, refusal
from meshkit_chaos.judge.phrases import counted, listed, say_share
from meshkit_chaos.slo import Duration


def decide(
    policy: Policy,
    evidence: Evidence,
    *,
    subject: Subject,
    now: int,
    overrides: Overrides | None = None,
    checked: Iterable[Checked] = (),
) -> Decision:
    """Decide whether a subject may be released. ``checked``: what was found out about signatures of overrides."""
    file = overrides or Overrides()
    waiving = _Waiving(file, subject, now, {one.override: one for one in checked})
    items = [item for asked in evidence.asked for item in _requirement(asked, evidence, policy, waiving=waiving, now=now)]
    items += _whole_policy(policy, evidence, subject, now=now)
    if not any(item.mode == "blocking" and item.scenario for item in items):
        items.append(_of_policy("nothing-blocking", "nothing is required in blocking mode", remedy="mode: blocking"))
    blocking = [item for item in items if item.blocks]
    exit_code = OPEN if not blocking else BLOCKED if any(item.code in EVIDENCE for item in blocking) else UNPROVEN
    uses = waiving.uses()
    return Decision(
        open=exit_code == OPEN,
        exit_code=exit_code,
        sentence=_sentence(items, blocking),
        at=now,
        subject=subject.pairs,
        digests={**subject.members, **{f"file-{number}": digest for number, digest in enumerate(subject.digests, 1)}},
        match=policy.match,
        policy=policy.path,
        policy_digest=policy.digest,
        items=tuple(items),
        overrides=uses,
        overrides_source=f"{file.source}{f' at {file.commit}' if file.commit else ''}" if file.entries else "",
        untested=_untested(items, evidence),
        notes=_notes(policy, items),
    )


@dataclass(slots=True)
class _Waiving:
    """Which overrides were used, and why the others were not. Grows while requirements are judged."""

    file: Overrides
    subject: Subject
    now: int
    checked: Mapping[str, Checked]
    used: set[str] = field(default_factory=set)
    refused: dict[str, Refused] = field(default_factory=dict)

    def applied(self, about: Case) -> Case:
        """The same case with the overrides that accept what the subject's results of its scenario say."""
        waivers: dict[str, Override] = {}
        standby: dict[str, Override] = {}
        for entry in self.file.entries:
            if entry.scenario != about.scenario or not self._wanted(entry, about) or entry.objective in waivers:
                continue
            why = refusal(entry, self.file, self.subject, now=self.now, checked=self.checked) or accepts(entry, about.own)
            if why is None:
                waivers[entry.objective] = entry
                self.used.add(entry.id)
                continue
            if why.code == "unused" and covers(entry, about.own):
                standby.setdefault(entry.objective, entry)
            self.refused.setdefault(entry.id, why)
        return replace(about, waivers=waivers, standby=standby)

    def _wanted(self, entry: Override, about: Case) -> bool:
        return not about.requirement.objectives or entry.objective in about.requirement.objectives

    def uses(self) -> tuple[OverrideUse, ...]:
        return tuple(self._use(entry) for entry in self.file.entries)

    def _use(self, entry: Override) -> OverrideUse:
        why = None
        if entry.id not in self.used:
            general = refusal(entry, self.file, self.subject, now=self.now, checked=self.checked)
            why = general or self.refused.get(entry.id) or Refused("not-required", "the policy does not require what it names")
        return OverrideUse(
            id=entry.id,
            scenario=entry.scenario,
            objective=entry.objective,
            refusal=why.code if why else "",
            sentence=why.sentence if why else f"accepts {entry.accept} ({entry.ticket}: {entry.reason})",
            identity="" if why else f"approved by {entry.approver}; {identity(entry, self.checked)}",
            digest=entry.digest,
        )


def _requirement(asked: Asked, evidence: Evidence, policy: Policy, *, waiving: _Waiving, now: int) -> Iterable[Item]:
    requirement = asked.requirement
    found = len(asked.scenarios)
    if found < requirement.at_least:
        sentence = f"{counted(found, 'scenario')} found; at least {requirement.at_least} required"
        remedy = "import the results that are missing, or correct the policy"
        yield _about(requirement, "too-few-scenarios", sentence, remedy=remedy)
    for scenario in asked.scenarios:
        item = judged(waiving.applied(case(requirement, scenario, evidence, now=now)), evidence, policy)
        waiving.used |= set(item.overrides)
        yield item


def _about(requirement: Requirement, code: Code, sentence: str, *, remedy: str) -> Item:
    return Item(requirement=requirement.id, scenario="", mode=requirement.mode, code=code, sentence=sentence, remedy=remedy)


def _of_policy(code: Code, sentence: str, *, remedy: str) -> Item:
    return Item(requirement="", scenario="", mode="blocking", code=code, sentence=sentence, remedy=remedy)


def _whole_policy(policy: Policy, evidence: Evidence, subject: Subject, *, now: int) -> Iterable[Item]:
    """What the policy asks of no scenario in particular."""
    if not subject.known(policy.match):
        option = "--subject commit=…" if policy.match == "commit" else "--digest FILE"
        yield _of_policy("subject-unknown", f"match: {policy.match} needs {option}", remedy=f"give {option}")
    if policy.nightly is not None and not evidence.nightly_came:
        when = (
            "the schedule has no past" if evidence.nightly_expected is None else f"expected {minute(evidence.nightly_expected)}"
        )
        sentence = f"the nightly did not happen: {when}, and none came within {policy.nightly.grace}"
        yield _of_policy("nightly-missing", sentence, remedy="run the nightly, and see why it did not start")
    for module, within in policy.exercised_within.items():
        at = evidence.exercised.get(module)
        if at is None:
            sentence = f"{module} was never under a fault"
        elif now - at > within.ns:
            ago = Duration((now - at) // 10**9 * 10**9)
            sentence = f"{module} was last under a fault {ago} ago; at most {within} is allowed"
        else:
            continue
        yield _of_policy("not-exercised", sentence, remedy=f"run a scenario about {module}")


def _sentence(items: list[Item], blocking: list[Item]) -> str:
    required = [item for item in items if item.mode == "blocking" and item.scenario]
    if not blocking:
        waived = sum(item.code == "waived" for item in required)
        by_override = f", {waived} of them by override" if waived else ""
        return f"{counted(len(required), 'required scenario')} passed{by_override}"
    urgent = sorted(blocking, key=lambda item: (item.code not in EVIDENCE, not item.scenario))
    named = listed(dict.fromkeys(_named(item) for item in urgent))
    good = sum(item.code in GOOD for item in required)
    return f"{named}; {good} of {counted(len(required), 'required scenario')} passed"


_WORDS: dict[Code, str] = {
    "failed": "failed",
    "regression": "is worse than earlier releases",
    "inconclusive": "is inconclusive",
    "invalid": "is invalid",
    "not-run": "did not run",
    "missing": "has no result",
    "stale": "has no fresh result",
    "other-subject": "has no result of this subject",
    "other-class": "has no result of the required class",
    "no-objective": "lacks an objective",
    "too-few-runs": "has too few runs",
    "no-baseline": "has no baseline",
}


def _named(item: Item) -> str:
    return f"{item.scenario} {_WORDS.get(item.code, item.code)}" if item.scenario else item.sentence


def _untested(items: Iterable[Item], evidence: Evidence) -> tuple[str, ...]:
    """Blocking scenarios that nobody ever saw fail: whether they would, is not known."""
    names = dict.fromkeys(item.scenario for item in items if item.mode == "blocking" and item.scenario)
    return tuple(name for name in names if name not in evidence.seen_failing)


def _notes(policy: Policy, items: Iterable[Item]) -> tuple[str, ...]:
    """What the comparisons of this decision can get wrong, together."""
    compared = {(item.scenario, one.objective) for item in items for one in item.comparisons}
    if policy.regression is None or not compared:
        return ()
    rate = policy.regression.false_alarms.value
    every = min(1.0, rate * len(compared))
    each = f"compared {counted(len(compared), 'objective')}: each is blamed wrongly in at most {say_share(rate)} of decisions"
    return (f"{each}, any of them in at most {say_share(every)}, if nothing drifts; under drift nothing is guaranteed",)

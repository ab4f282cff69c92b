"""``chaos-gate.yaml`` and ``chaos-overrides.yaml`` to frozen values: the one way in.

Takes the bytes of a document and the path to name in messages; gives the value, or every problem at once (and, with the value,
the warnings). Pure: whoever calls reads the file and, for what has expired, the clock.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from meshkit_chaos.gate.exact_tests import fisher_least, rank_needs
from meshkit_chaos.gate.grammar import (
    BaselineText,
    GateText,
    NightlyText,
    OverridesText,
    OverrideText,
    RegressionText,
    RequirementText,
)
from meshkit_chaos.gate.overrides import (
    LONGEST_OVERRIDE,
    Accepted,
    Override,
    Overrides,
    Proof,
    is_glob,
    same,
    second_approved,
    too_loose,
)
from meshkit_chaos.gate.policy import (
    MOST_BASELINE_RUNS,
    Alternative,
    Baseline,
    Nightly,
    Policy,
    Regression,
    Requirement,
)
from meshkit_chaos.gate.schedule import zone
from meshkit_chaos.scenario.findings import At, Findings
from meshkit_chaos.scenario.load import Loaded, admitted, loaded, without_echoes
from meshkit_chaos.scenario.yaml_positions import compose
from meshkit_chaos.slo import Duration, Ratio


def load_policy(data: bytes, *, path: str) -> Loaded[Policy]:
    """Read a gate's policy."""
    composed = compose(data, path=path)
    if composed.root is None:
        return loaded(None, composed.problems)
    text, problems = admitted(GateText, composed.root.data, root=composed.root, path=path)
    findings = Findings(path, composed.root)
    value = None
    if text is not None:
        value = _policy(text, path=path, digest=hashlib.sha256(data).hexdigest())
        _lint_policy(text, value, at=At(findings, ()))
    return loaded(value, without_echoes(composed, (*problems, *findings.problems)))


def _policy(text: GateText, *, path: str, digest: str) -> Policy:
    return Policy(
        path=path,
        digest=digest,
        match=text.match or "digest",
        requirements=tuple(_requirement(one, text) for one in text.requirements),
        regression=_regression(text.regression) if text.regression else None,
        nightly=_nightly(text.nightly) if text.nightly else None,
        environment_class=text.environment_class or "",
        exercised_within=text.exercised_within or {},
    )


def _requirement(text: RequirementText, around: GateText) -> Requirement:
    return Requirement(
        id=text.id,
        scenarios=tuple(text.scenarios or ()),
        tags=tuple(text.tags or ()),
        modules=tuple(text.modules or ()),
        severity=text.severity or "",
        objectives=tuple(text.objectives or ()),
        at_least=text.at_least or 1,
        environment_class=text.environment_class or around.environment_class or "",
        fresh=text.fresh or around.fresh or Duration.parse("36h"),
        runs=text.runs or around.runs or 1,
        mode=text.mode or around.mode or "blocking",
        regression=text.regression == "on",
    )


def _regression(text: RegressionText) -> Regression:
    seen = text.alternative
    return Regression(
        false_alarms=text.false_alarms or Ratio(0.01),
        effect=text.effect or Ratio(0.2),
        dead_band=text.dead_band or Ratio(0.05),
        minimum_failures=text.minimum_failures or 2,
        alternative=Alternative(
            fails=(seen.fails if seen else None) or Ratio(0.5), slower=(seen.slower if seen else None) or Ratio(0.9)
        ),
        baseline=_baseline(text.baseline),
        until_baseline=text.until_baseline or "closed",
    )


def _baseline(text: BaselineText) -> Baseline:
    return Baseline(
        subject=dict(text.subject),
        releases_by=text.releases_by or "",
        releases=text.releases or 3,
        lag=text.lag if text.lag is not None else Duration.parse("10d"),
        until=text.until,
        at_least=text.at_least or 5,
    )


def _nightly(text: NightlyText) -> Nightly:
    return Nightly(
        cron=text.cron,
        timezone=text.timezone or "UTC",
        grace=text.grace or Duration.parse("6h"),
        subject=dict(text.subject or {}),
    )


def _lint_policy(text: GateText, policy: Policy, *, at: At) -> None:
    _lint_names([one.id for one in text.requirements], at=at.below("requirements"))
    for number, requirement in enumerate(policy.requirements):
        place = at.below("requirements", number)
        if not (requirement.scenarios or requirement.tags or requirement.modules or requirement.severity):
            place.say("MC303", "this requirement selects nothing", hint='scenarios: ["*"] selects all')
        if requirement.regression:
            _lint_comparison(requirement, policy, at=place)
    if all(requirement.mode == "shadow" for requirement in policy.requirements):
        at.say("MC301", "every requirement is in shadow: this gate never opens")
    if policy.nightly is not None:
        _lint_nightly(policy.nightly, at=at.below("nightly"))


def _lint_names(names: Sequence[str], *, at: At) -> None:
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            at.below(number, "id").say("MC110", f"the name {name!r} is taken", hint="give it another one")


def _lint_comparison(requirement: Requirement, policy: Policy, *, at: At) -> None:
    """Whether a comparison could ever blame anything, at its best: against one release of as many runs as are looked at."""
    rules = policy.regression
    if rules is None:
        at.below("regression").say(
            "MC305", "there is nothing to compare with", hint="add `regression: {baseline: {subject: {branch: main}}}`"
        )
        return
    level = rules.false_alarms.value / 2
    by_time = rank_needs(level, old_runs=MOST_BASELINE_RUNS, new_runs=requirement.runs)
    by_rate = fisher_least(old_failures=0, old_runs=MOST_BASELINE_RUNS, new_runs=requirement.runs)
    if by_time is None and (by_rate > level or requirement.runs < rules.minimum_failures):
        message = f"{requirement.runs} runs against {MOST_BASELINE_RUNS} can reach p = {by_rate:.2g}, and {level:.2g} is needed"
        at.below("regression").say("MC304", message, hint="raise `runs`, or `false_alarms`")


def _lint_nightly(nightly: Nightly, *, at: At) -> None:
    try:
        CronSim(nightly.cron, datetime(2026, 1, 1, tzinfo=UTC))
        known = len(nightly.cron.split()) == 5
    except CronSimError:
        known = False
    if not known:
        at.below("cron").say("MC302", f"{nightly.cron!r} is no schedule; expected five fields", hint='such as "0 2 * * *"')
    try:
        zone(nightly.timezone)
    except (ValueError, OSError, KeyError):
        at.below("timezone").say("MC302", f"there is no time zone {nightly.timezone!r}", hint="such as UTC or Europe/Berlin")


def load_overrides(data: bytes, *, path: str, now: int | None = None) -> Loaded[Overrides]:
    """Read and lint a file of overrides. With ``now`` (wall-clock ns), what has expired is told as a warning."""
    composed = compose(data, path=path)
    read = read_overrides(data, path=path)
    if composed.root is None or read.value is None:
        return read
    findings = Findings(path, composed.root)
    at = At(findings, ()).below("overrides")
    for number, entry in enumerate(read.value.entries):
        _lint_override(entry, now, at=at.below(number))
    return loaded(read.value, (*read.problems, *findings.problems))


def read_overrides(data: bytes, *, path: str) -> Loaded[Overrides]:
    """Read a file of overrides by its grammar alone: whether they may be used, the gate decides one by one, by their names."""
    composed = compose(data, path=path)
    if composed.root is None:
        return loaded(None, composed.problems)
    text, problems = admitted(OverridesText, composed.root.data, root=composed.root, path=path)
    if text is None:
        return loaded(None, without_echoes(composed, problems))
    findings = Findings(path, composed.root)
    _lint_names([one.id for one in text.overrides], at=At(findings, ()).below("overrides"))
    value = Overrides(entries=_entries(text), source=path)
    return loaded(value, without_echoes(composed, (*problems, *findings.problems)))


def _entries(text: OverridesText) -> tuple[Override, ...]:
    """In the order of the file; what renews what is told by when they were written, as anybody can put one first."""
    seen: Counter[tuple[str, str]] = Counter()
    renewals: dict[int, int] = {}
    for place, one in sorted(enumerate(text.overrides), key=lambda numbered: numbered[1].created):
        scope = (one.scenario, one.objective)
        renewals[place] = seen[scope]
        seen[scope] += 1
    return tuple(_override(one, renewal=renewals[place]) for place, one in enumerate(text.overrides))


def _override(text: OverrideText, *, renewal: int) -> Override:
    return Override(
        id=text.id,
        subject=dict(text.subject),
        scenario=text.scenario,
        objective=text.objective,
        accept=Accepted(within=text.accept.within, failing_runs=text.accept.failing_runs),
        reason=text.reason,
        ticket=text.ticket,
        author=text.author,
        approver=text.approver,
        second_approver=text.second_approver or "",
        created=text.created,
        expires=text.expires,
        proof=_proof(text),
        renewal=renewal,
    )


def _proof(text: OverrideText) -> Proof:
    proof = text.proof
    if proof is None:
        return Proof()
    if proof.signature is not None:
        return Proof(kind="signature", reference=proof.signature)
    if proof.review is not None:
        return Proof(kind="review", reference=proof.review)
    return Proof(kind="environment", reference=proof.environment or "")


def _lint_override(entry: Override, now: int | None, *, at: At) -> None:
    for key in ("scenario", "objective"):
        if is_glob(getattr(entry, key)):
            at.below(key).say("MC311", f"{getattr(entry, key)!r} is a glob; expected one {key}")
    if too_loose(entry):
        at.below("subject").say("MC311", "no `commit` and no `digest`: this would hold for more than one build")
    if entry.expires - entry.created > LONGEST_OVERRIDE.ns:
        at.below("expires").say("MC311", f"this is more than {LONGEST_OVERRIDE} after `created`")
    if same(entry.author, entry.approver):
        at.below("approver").say("MC312", f"{entry.approver!r} is the author, too", hint="another person must grant it")
    if entry.renewal >= 2 and not second_approved(entry):
        at.say("MC314", f"renewal {entry.renewal} of {entry.scenario}, {entry.objective}", hint="add `second_approver`")
    if now is not None and entry.expires <= now:
        at.below("expires").say("MC313", f"the override {entry.id} has expired")

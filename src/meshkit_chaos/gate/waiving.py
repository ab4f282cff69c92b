"""Overrides against the evidence: which may be used at all, and which accept what was seen. Pure.

An override is refused for what it is (expired, of another commit, too broad, approved by its author, a second renewal without
a second approver, read from the commit under test), or for what it is about (not run, beyond the number, passing anyway).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meshkit_chaos.clock import iso
from meshkit_chaos.gate.comparing import objective_of
from meshkit_chaos.gate.decision import Refusal
from meshkit_chaos.gate.overrides import Checked, Override, Overrides, same, second_approved, too_broad
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.model import PastObjective, PastRun, PastScenario

_MEASURED_LATE = ("fail", "inconclusive")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an override is not used, by code and in words."""

    code: Refusal
    sentence: str


def refusal(entry: Override, file: Overrides, subject: Subject, *, now: int, checked: Mapping[str, Checked]) -> Refused | None:
    """Why an override may not be used whatever the evidence is; None where it may."""
    return _misread(file, subject) or _malformed(entry) or _elsewhere(entry, subject, now=now, checked=checked)


def _misread(file: Overrides, subject: Subject) -> Refused | None:
    if _one_commit(file.commit, subject.commit):
        return Refused("tested-commit", f"it was read from the commit under test, {file.commit}")
    if not file.protected:
        return Refused("unprotected", "it was not read from a protected branch; give --overrides-ref")
    return None


def _one_commit(read: str, stated: str) -> bool:
    """Whether two spellings may be of one commit: a release may name it in short, or in capitals."""
    one, other = read.strip().lower(), stated.strip().lower()
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


def _malformed(entry: Override) -> Refused | None:
    if too_broad(entry):
        return Refused("too-broad", "it is not for one objective of one scenario of one build, or is for too long")
    if same(entry.author, entry.approver):
        return Refused("self-approved", f"{entry.author} cannot approve what {entry.author} asks for")
    if entry.renewal >= 2 and not second_approved(entry):
        return Refused("second-renewal", f"renewal {entry.renewal} needs a second approver, another person again")
    return None


def _elsewhere(entry: Override, subject: Subject, *, now: int, checked: Mapping[str, Checked]) -> Refused | None:
    if entry.created > now:
        return Refused("not-yet", f"it was created at {iso(entry.created)}, which is still to come")
    if entry.expires <= now:
        return Refused("expired", f"it expired at {iso(entry.expires)}")
    if not subject.fits(entry.subject):
        return Refused("other-subject", f"it is for {_words(entry.subject)}")
    problem = checked[entry.id].problem if entry.id in checked else ""
    return Refused("bad-signature", problem) if problem else None


def identity(entry: Override, checked: Mapping[str, Checked]) -> str:
    """How sure it is who approved an override, in words."""
    found = checked.get(entry.id)
    if found is not None and found.signer:
        return f"signed by {found.signer}, and the signature was verified"
    claimed = {"review": "the review", "environment": "the approval record of the environment", "signature": "the signature"}
    if entry.proof.kind in claimed:
        reference = "" if entry.proof.kind == "signature" else f" {entry.proof.reference}"
        return f"{claimed[entry.proof.kind]}{reference} was not checked here; identity rests on branch protection"
    return "identity rests on branch protection"


def accepts(entry: Override, results: Iterable[PastScenario]) -> Refused | None:
    """Whether every result of the subject is within what an override accepts; None where it is.

    Only what ran to its end on an environment that was clean again can be accepted, and only what was measured.
    """
    seen = [(run, objective_of(run, entry.objective)) for result in results for run in result.runs]
    if not seen:
        return Refused("not-run", "the scenario has not run")
    bad = [(run, one) for run, one in seen if one is None or one.verdict != "pass"]
    if not bad:
        return Refused("unused", "the objective passed: there is nothing to accept")
    for run, one in bad:
        if one is None or not _whole(run) or one.verdict not in _MEASURED_LATE:
            return Refused("not-run", f"run {run.run} gives no evidence that could be accepted")
    found = [one for _, one in bad if one is not None]
    return _beyond_time(entry, found) if entry.accept.within is not None else _beyond_count(entry, found)


def covers(entry: Override, results: Iterable[PastScenario]) -> bool:
    """Whether every time of an objective that passed is within what an override accepts: it may then be slower than before."""
    seen = [(run, objective_of(run, entry.objective)) for result in results for run in result.runs]
    limit = entry.accept.within
    return limit is not None and all(
        one is not None and one.hi is not None and one.hi <= limit.ns and _whole(run) for run, one in seen
    )


def _whole(run: PastRun) -> bool:
    return run.outcome == "completed" and run.environment == "clean"


def _beyond_time(entry: Override, bad: Iterable[PastObjective]) -> Refused | None:
    assert entry.accept.within is not None
    for one in bad:
        if one.hi is None or one.hi > entry.accept.within.ns:
            return Refused("beyond", f"it accepts {entry.accept}, and {one.sentence or 'more was measured'}")
    return None


def _beyond_count(entry: Override, bad: list[PastObjective]) -> Refused | None:
    assert entry.accept.failing_runs is not None
    if len(bad) > entry.accept.failing_runs:
        return Refused("beyond", f"it accepts {entry.accept}, and {len(bad)} failed")
    if any(one.verdict != "fail" for one in bad):
        return Refused("not-run", "a run gave no evidence that could be accepted")
    return None


def _words(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs.items())

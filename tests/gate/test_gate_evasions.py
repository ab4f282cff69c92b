"""Ways in which somebody, or an accident, might get a gate open without evidence: each stays closed, or is told."""

from __future__ import annotations

import pytest
from gate_worlds import COMMIT_POLICY, decided, history, one_run, overrides, policy, result

from meshkit_chaos.gate.load import read_overrides
from meshkit_chaos.gate.subject import Subject

COMMIT = "c0ffee" + "0" * 34
ENTRY = """
  - id: {id}
    subject: {{commit: {commit}}}
    scenario: leader-killed
    objective: converge-one-leader
    accept: {{within: 9s}}
    reason: slow
    ticket: M-1
    author: {author}
    approver: {approver}
    created: {created}
    expires: {expires}
"""


def entry(**changes: str) -> str:
    usual = {
        "id": "slow", "commit": "c0ffee", "author": "ann", "approver": "bo", "created": "2026-11-24", "expires": "2026-12-01",
    }  # fmt: skip
    return ENTRY.format(**{**usual, **changes})


def file(*entries: str) -> str:
    return "version: 1\noverrides:" + "".join(entries)


@pytest.mark.parametrize("stated", ["c0ffee0", COMMIT, COMMIT.upper()])
def test_a_commit_brings_no_exception_however_it_is_spelt(stated: str) -> None:
    """The commit under test is recognized although the release names it in short or in capitals."""
    bad = history(result("fail", commit=stated))
    subject = Subject(pairs={"commit": stated}, digests=("aaa",))
    decision = decided(bad, file=overrides(file(entry(commit=stated)), commit=COMMIT), subject=subject)
    assert (decision.open, decision.overrides[0].refusal) == (False, "tested-commit")


@pytest.mark.parametrize("approver", ["Ann", "\uff41nn", "a\u200bnn", " ann", "ann\u00ad"])
def test_nobody_approves_in_a_disguise(approver: str) -> None:
    """The author's name in other letter forms, or with characters that nobody sees, is still the author's."""
    decision = decided(history(result("fail")), file=overrides(file(entry(approver=f'"{approver}"'))))
    assert (decision.open, decision.overrides[0].refusal) == (False, "self-approved")


def test_a_renewal_cannot_be_put_before_what_it_renews() -> None:
    """What counts for renewals is when overrides were written, not the order in which they stand in the file."""
    old = [entry(id=f"old-{day}", created=f"2026-11-0{day}", expires="2026-11-10") for day in (1, 2)]
    for entries in ((*old, entry()), (entry(), *old)):
        decision = decided(history(result("fail")), file=overrides(file(*entries)))
        assert not decision.open
        assert {one.id: one.refusal for one in decision.overrides}["slow"] == "second-renewal"


def test_two_overrides_of_one_name_are_no_file_of_overrides() -> None:
    """A signature of one of them would speak for both, so the file is refused."""
    loaded = read_overrides(file(entry(), entry(commit="c1")).encode(), path="chaos-overrides.yaml")
    assert loaded.value is None or [problem.rule for problem in loaded.errors] == ["MC110"]


def test_a_failure_is_not_buried_under_newer_results() -> None:
    """By digest, too, every failure of the subject counts, whatever else ran since."""
    rules = policy(COMMIT_POLICY.replace(b"match: commit", b"match: digest"))
    other = [
        result("pass", hours=1 + n / 100, commit=f"d{n}", runs=(one_run("pass", binaries={"node-1": "bbb"}),))
        for n in range(60)
    ]
    own = [result("fail", hours=9, commit="x", invocation="IF"), result("pass", hours=0.5, commit="x")]
    subject = Subject(pairs={}, digests=("aaa",))
    decision = decided(history(*own, *other), rules, subject=subject)
    assert decision.items[0].code == "failed"


def test_a_clock_that_is_ahead_exercises_nothing() -> None:
    """A result of the future does not say that a module was under a fault lately."""
    rules = policy(COMMIT_POLICY + b"exercised_within: {leadership: 40d}\n")
    ahead = result("pass", hours=-24 * 400, commit="c9", modules=("leadership",))
    decision = decided(history(ahead, result("pass", modules=("leadership",), hours=2)), rules)
    assert decision.open
    stale = decided(history(ahead, result("pass", modules=("leadership",), hours=24 * 50)), rules)
    assert "not-exercised" in {item.code for item in stale.items}


def test_a_failure_that_people_set_aside_is_told() -> None:
    """An open gate says which results of the subject were marked as invalid, and why."""
    spoilt = result("fail", hours=2, runs=(one_run("fail", invalidated="the lab lost a disk"),))
    decision = decided(history(spoilt, result("pass", hours=1)))
    assert decision.open
    assert any("the lab lost a disk" in note for note in (*decision.notes, *decision.items[0].notes))


@pytest.mark.parametrize("digest", ["", " "])
def test_an_empty_digest_is_none(digest: str) -> None:
    """A member whose digest is not known is not released, whatever history says of it."""
    rules = policy(COMMIT_POLICY.replace(b"match: commit", b"match: digest"))
    blank = result("pass", runs=(one_run("pass", binaries={"node-1": digest}),))
    for subject in (Subject(members={"node-1": digest}), Subject(digests=(digest,))):
        assert not decided(history(blank), rules, subject=subject).open

"""Whose result it is, and where it ran: a pass must prove it wholly, and nothing takes a failure out of sight."""

from __future__ import annotations

from typing import Any

import pytest
from gate_worlds import SUBJECT, decided, history, one_run, policy, result

from meshkit_chaos.gate.subject import Subject

BY_DIGEST = policy("version: 1\nrequirements:\n  - {id: a, scenarios: [leader-killed]}\n")
IN_CLASS = policy(
    "version: 1\nmatch: commit\nrequirements:\n  - {id: a, scenarios: [leader-killed], environment_class: lab-1}\n"
)
MIXED: dict[str, tuple[dict[str, Any], ...]] = {
    "one run died before it deployed": ({}, {"binaries": {}}),
    "one run deployed something else": ({}, {"binaries": {"node-1": "bbb"}}),
}


@pytest.mark.parametrize("how", MIXED)
def test_a_failure_stays_in_sight(how: str) -> None:
    """A failure of these bytes counts although another run of that result had none, or others; no pass hides it."""
    runs = tuple(one_run("fail", number, prefix="F", **more) for number, more in enumerate(MIXED[how]))
    bad = result("fail", hours=5, commit="elsewhere", runs=runs)
    assert decided(history(bad, result("pass")), BY_DIGEST).exit_code == 1


def test_a_pass_is_of_these_bytes_only() -> None:
    """A pass in which any run deployed other bytes is no pass of these; one without any digest is of nothing."""
    other = tuple(one_run("pass", number, **more) for number, more in enumerate(MIXED["one run deployed something else"]))
    assert decided(history(result("pass", runs=other)), BY_DIGEST).items[0].code == "other-subject"
    none = (one_run("pass", binaries={}),)
    assert decided(history(result("pass", runs=none)), BY_DIGEST).items[0].code == "other-subject"


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        (Subject(members={"node-1": "aaa", "node-2": "bbb"}), 0),
        (Subject(members={"node-1": "aaa"}), 2),
        (Subject(members={"node-1": "bbb", "node-2": "aaa"}), 2),
        (Subject(members={"node-1": "aaa"}, digests=("bbb",)), 0),
        (Subject(digests=("aaa",)), 2),
        (Subject(digests=("aaa", "bbb")), 0),
    ],
    ids=["both named", "one unaccounted for", "the wrong way round", "a member and a file", "one file", "two files"],
)
def test_every_binary_is_accounted_for(subject: Subject, code: int) -> None:
    """Members that were named have just their digest; the others have that of a file that was given."""
    run = one_run("pass", binaries={"node-1": "aaa", "node-2": "bbb"})
    assert decided(history(result("pass", runs=(run,))), BY_DIGEST, subject=subject).exit_code == code


def test_a_run_without_a_class_hides_no_failure() -> None:
    """A failure in the class counts although one of its runs never told where it ran; a pass must tell it wholly."""
    bad = (one_run("fail", prefix="F"), one_run("fail", 2, prefix="F", environment_class=""))
    assert decided(history(result("fail", hours=5, runs=bad), result("pass")), IN_CLASS).exit_code == 1
    mixed = (one_run("pass"), one_run("pass", 2, environment_class="lab-2"))
    assert decided(history(result("pass", runs=mixed)), IN_CLASS).items[0].code == "other-class"
    silent = (one_run("pass", environment_class=""),)
    assert decided(history(result("pass", runs=silent, environment_class="")), IN_CLASS).items[0].code == "other-class"


def test_without_what_it_is_matched_by_nothing_is_known() -> None:
    """A subject without a commit, or without digests where those decide, has no results: closed."""
    for rules, subject in ((IN_CLASS, Subject(digests=("aaa",))), (BY_DIGEST, Subject(pairs=SUBJECT.pairs))):
        decision = decided(history(result("pass")), rules, subject=subject)
        assert decision.exit_code == 2
        assert "subject-unknown" in {item.code for item in decision.items}

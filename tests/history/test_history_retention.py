"""Retention as rules over values: what goes, what stays, and why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_history_reading import past_invocations

from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.history.retention import Compared, Rules, fates
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

DAY = 86_400 * 10**9
NOW = 1000 * DAY
RULES = Rules(keep=Duration(90 * DAY), keep_failing=Duration(365 * DAY), keep_last=2)
Pair = tuple[PastInvocation, PastScenario]


def past(name: str, days: int, verdict: VerdictName = "pass", subject: dict[str, str] | None = None) -> Pair:
    """One scenario in one invocation, so many days ago."""
    at, about = NOW - days * DAY, subject or {}
    invocation = PastInvocation(
        invocation=name, at=at, subject=about, verdict=verdict, environment="clean", sentence="", tool="", file_digest="",
        announced=("s",),
    )  # fmt: skip
    scenario = PastScenario(
        invocation=name, scenario="s", title="", verdict=verdict, sentence="", at=at, subject=about, environment="clean",
        environment_class="lab",
    )  # fmt: skip
    return invocation, scenario


def said(pasts: list[Pair], rules: Rules = RULES) -> dict[str, str]:
    newest = sorted(pasts, key=lambda pair: -pair[0].at)
    told = fates([one for one, _ in newest], [one for _, one in newest], rules, now=NOW)
    return {fate.invocation.invocation: fate.kept for fate in told}


def test_young_ones_and_failures_stay() -> None:
    """Passes go after 90 days, everything else after a year."""
    pasts = [past(f"new-{day}", day) for day in (1, 2, 3)]
    pasts += [past("pass", 91), past("fail", 91, "fail"), past("old fail", 366, "fail"), past("invalid", 300, "invalid")]
    assert said(pasts) == {"pass": "", "old fail": ""}


def test_the_last_good_one_stays_and_is_said() -> None:
    """However old it is, what a gate names as the last good result is kept, with that reason."""
    pasts = [past(f"bad-{day}", day, "fail") for day in (1, 2, 3)] + [past("good", 500), past("older good", 501)]
    assert said(pasts) == {"good": "the last good result of s", "older good": ""}


def test_the_last_few_stay() -> None:
    """A scenario that is seldom run keeps its newest results."""
    assert said([past("a", 500), past("b", 600), past("c", 700)]) == {
        "a": "among the last 2 of s",
        "b": "among the last 2 of s",
        "c": "",
    }


def test_named_subjects_stay() -> None:
    """Releases that baselines are made of are kept by their subject."""
    rules = Rules(
        keep=RULES.keep, keep_failing=RULES.keep_failing, keep_last=0, keep_subjects={"version": "", "branch": "main"}
    )
    pasts = [past("newer", 1), past("release", 500, subject={"version": "1"}), past("other", 500, subject={"branch": "x"})]
    assert said(pasts, rules) == {"release": "its subject has version=1", "other": ""}


def test_what_a_gate_compares_with_stays() -> None:
    """The runs that a baseline is made of now or later are kept, however old, and no more of them; invalid ones are none."""
    frozen = Compared(subject={"branch": "main"}, before=NOW - 450 * DAY, newest=2)
    rules = Rules(keep=RULES.keep, keep_failing=RULES.keep, keep_last=0, compared=frozen)
    main = {"branch": "main"}
    pasts = [past("newest", 1), past("later", 400, subject=main), past("x", 500, subject={"branch": "x"})]
    pasts += [past(f"base-{day}", day, subject=main) for day in (500, 510, 520)]
    pasts += [past("nothing", 501, "inconclusive", subject=main), past("bad", 505, "fail", subject=main)]
    told = said(pasts, rules)
    assert {name for name, why in told.items() if why} == {"base-500", "bad"}
    assert told["bad"] == "the gate compares s with it"


@given(past_invocations(), st.integers(0, 3), st.integers(0, 6))
def test_every_scenario_keeps_its_last_good_result(
    pasts: list[tuple[PastInvocation, tuple[PastScenario, ...]]], last: int, age: int
) -> None:
    """Whatever the rules and the history: of each scenario and class that ever passed and counts, the newest pass stays."""
    invocations = sorted((one for one, _ in pasts), key=lambda one: (one.at, one.invocation), reverse=True)
    order = [one.invocation for one in invocations]
    results = sorted((one for _, scenarios in pasts for one in scenarios), key=lambda one: order.index(one.invocation))
    rules = Rules(keep=Duration(age), keep_failing=Duration(age), keep_last=last)
    gone = {fate.invocation.invocation for fate in fates(invocations, results, rules, now=10) if not fate.kept}
    good: dict[tuple[str, str], str] = {}
    for one in results:
        if one.verdict == "pass" and one.counts:
            good.setdefault((one.scenario, one.environment_class), one.invocation)
    assert not gone & set(good.values())

"""Verdicts of any shape, with any text in them."""

from __future__ import annotations

from hypothesis import strategies as st

from meshkit_chaos.judge.verdict import (
    EnvironmentName,
    Finding,
    FindingAbout,
    InvocationVerdict,
    Measurement,
    OutcomeName,
    Repetition,
    Verdict,
    VerdictName,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "]]><x>&amp;",
    "\x1b[2J\x00\x07",
    "\ud800 lone",
    "| cell | `code` @team #12 https://evil.example [a](javascript:x)\n## heading",
    "\u202egnp.exe",
    "--><img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "'\"`$(rm -rf /)",
)
text = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None, exclude_categories=()), max_size=12))
verdict_names = st.sampled_from(VerdictName.__args__)  # type: ignore[attr-defined]  # a Literal's values
span = st.integers(0, 10**11)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    lo = draw(span)
    hi = draw(st.none() | st.integers(lo, 2 * 10**11))
    return Measurement(
        lo=lo, hi=hi, limit=draw(span), resolution=draw(span), window=(0, draw(span)), flaps=draw(st.integers(0, 3))
    )


findings = st.builds(
    Finding,
    about=st.sampled_from(FindingAbout.__args__),  # type: ignore[attr-defined]  # a Literal's values
    id=text,
    verdict=verdict_names,
    sentence=text,
    hint=text,
    evidence=st.lists(st.integers(0, 50), max_size=3).map(tuple),
    informational=st.booleans(),
    measured=st.none() | measurements(),
)
runs = st.builds(
    Verdict,
    run=st.text("0123456789ABCDEFGHJK", min_size=3, max_size=4),
    scenario=st.sampled_from(["one", "two", "three"]) | text,
    title=text,
    verdict=verdict_names,
    outcome=st.sampled_from(OutcomeName.__args__),  # type: ignore[attr-defined]  # a Literal's values
    environment=st.sampled_from(EnvironmentName.__args__),  # type: ignore[attr-defined]  # a Literal's values
    findings=st.lists(findings, max_size=3).map(tuple),
    owner=text,
    subject=st.dictionaries(text, text, max_size=2),
    binaries=st.dictionaries(text, text, max_size=2),
)


@st.composite
def invocations(draw: st.DrawFn) -> InvocationVerdict:
    several = tuple(draw(st.lists(runs, max_size=3)))
    names = draw(st.lists(st.sampled_from(["one", "two", "three"]) | text, max_size=3, unique=True))
    scenarios = tuple(
        Repetition(
            scenario=name,
            title=draw(text),
            verdict=draw(verdict_names),
            sentence=draw(text),
            runs=tuple(run.run for run in several if run.scenario == name) + tuple(draw(st.lists(st.just("LOST"), max_size=1))),
            flaky=draw(st.booleans()),
            objectives=draw(st.dictionaries(text, verdict_names, max_size=2)),
        )
        for name in names
    )
    return InvocationVerdict(
        invocation=draw(text),
        verdict=draw(verdict_names),
        environment=draw(st.sampled_from(EnvironmentName.__args__)),  # type: ignore[attr-defined]  # a Literal's values
        sentence=draw(text),
        subject=draw(st.dictionaries(text, text, max_size=2)),
        scenarios=scenarios,
        runs=several,
    )

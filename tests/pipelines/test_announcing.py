"""What is said to a CI service: within what it keeps, most urgent first, and nothing that could be a command of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshkit_chaos.cli.app import run
from meshkit_chaos.judge.verdict import EnvironmentName, InvocationVerdict, Repetition, VerdictName
from meshkit_chaos.pipelines.announcing import announcements
from meshkit_chaos.pipelines.settings import PLATFORMS, Platform

SIMULATED = Path(__file__).resolve().parents[2] / "src/meshkit_chaos/starter/simulated-mesh.yaml"
SCENARIOS = Path(__file__).resolve().parents[2] / "src/meshkit_chaos/demo/chaos-scenarios.yaml"


def repetition(name: str, verdict: VerdictName, *, sentence: str = "why", flaky: bool = False) -> Repetition:
    return Repetition(scenario=name, title=name, verdict=verdict, sentence=sentence, runs=(), flaky=flaky)


def invocation(
    *scenarios: Repetition, verdict: VerdictName = "fail", environment: EnvironmentName = "clean"
) -> InvocationVerdict:
    return InvocationVerdict(
        invocation="01J0",
        verdict=verdict,
        environment=environment,
        sentence="all in all",
        subject={},
        scenarios=scenarios,
        runs=(),
    )


def test_a_pass_says_nothing() -> None:
    """No annotation where there is nothing to look at."""
    for platform in PLATFORMS:
        assert announcements(invocation(repetition("a", "pass"), verdict="pass"), to=platform) == ""


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "invalid", "not-run"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_whatever_did_not_pass_is_an_error(verdict: VerdictName, platform: Platform) -> None:
    """Never a warning or a notice: those are easily taken for green."""
    for asked in (invocation(repetition("a", verdict), verdict=verdict), invocation(verdict=verdict)):
        said = announcements(asked, to=platform)
        assert said.startswith("::error " if platform == "github" else "##vso[task.logissue type=error]")


def test_a_dirty_environment_comes_first() -> None:
    """Also when every scenario passed."""
    said = announcements(invocation(repetition("a", "pass"), verdict="pass", environment="dirty"), to="github")
    assert said.startswith("::error title=meshkit-chaos::The environment was left dirty")


def test_no_more_than_the_service_keeps_and_the_rest_is_counted() -> None:
    """GitHub drops what is above ten errors a step without a word."""
    many = [repetition(f"s{number}", "inconclusive") for number in range(30)] + [repetition("worst", "fail")]
    flaky = [repetition(f"f{number}", "pass", flaky=True) for number in range(30)]
    lines = announcements(invocation(*many, *flaky), to="github").splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert sum(line.startswith("::warning ") for line in lines) == 10
    assert "worst" in lines[0]
    assert "22 more scenarios" in lines[9]


@pytest.mark.parametrize(
    "hostile", ["a\n::set-output name=x::y", "\r\n##vso[task.complete result=Succeeded]", "50%0A::error::x", "##[section]x"]
)
def test_a_hostile_text_is_no_command(hostile: str) -> None:
    """One line a message, and no mark of a command behind its beginning."""
    for platform in PLATFORMS:
        said = announcements(invocation(repetition("a", "fail", sentence=hostile)), to=platform)
        assert said.count("\n") == 1
        assert not re.search(r"^.+##(?:vso)?\[", said)
        assert "%0A" not in said


def test_publish_writes_the_page_and_ends_as_the_verdict(
    own_state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 for a pass, 1 for a missed objective, 2 where there is no record at all."""
    page = own_state / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    asked = ["--file", str(SCENARIOS), "--env", str(SIMULATED), "--seed", "1"]
    assert run(["run", "leader-paused", *asked, "--out", "good"]) == 0
    capsys.readouterr()
    assert run(["pipelines", "publish", "good", "--to", "github"]) == 0
    assert capsys.readouterr().out == ""
    assert "Pass" in page.read_text()
    assert run(["run", "leader-back-in-half-a-second", *asked, "--out", "bad"]) == 1
    capsys.readouterr()
    assert run(["pipelines", "publish", "bad", "--to", "azure"]) == 1
    said = capsys.readouterr().out
    assert "type=error]Fail: leader-back-in-half-a-second" in said
    assert f"##vso[task.uploadsummary]{own_state / 'bad' / 'summary.md'}" in said
    assert run(["pipelines", "publish", "nothing", "--to", "github"]) == 2

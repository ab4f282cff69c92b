"""``test``: exit codes, text, JSON and JUnit of scenario tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from command_lines import command

TESTS = """version: 1
scenarios: chaos-scenarios.yaml
tests:
  - {scenario: leader-killed, world: {leader back after: 3s}, expect: pass}
  - {scenario: leader-killed, name: too <late>, world: {leader back after: 9s}, expect: EXPECTED}
"""


@pytest.fixture(autouse=True)
def first_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test begins with what ``init`` writes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    assert command("init", "--simulated").code == 0
    return tmp_path


def write(text: str, *, expected: str = "fail") -> None:
    Path("chaos-scenarios.test.yaml").write_text(text.replace("EXPECTED", expected), encoding="utf-8")


def test_all_as_expected_is_0() -> None:
    """Tests that come out end with 0, and each has its line."""
    write(TESTS)
    ended = command("test")
    assert ended.code == 0, ended
    assert "✓ leader-killed  {leader back after: 3s}" in ended.out
    assert "2 tests, all as expected" in ended.out


def test_one_not_as_expected_is_1_with_the_reason() -> None:
    """A test that does not come out names its line, what was expected and what the judge said."""
    write(TESTS, expected="{verdict: pass, environment: dirty}")
    ended = command("test")
    assert ended.code == 1
    assert "✗ leader-killed  too <late>" in ended.out
    assert "line 5: expected pass, got fail: one-leader never recovered for good" in ended.out
    assert "line 5: expected environment dirty, got clean" in ended.out


def test_objectives_that_no_test_makes_fail_are_reported() -> None:
    """An objective that nobody has seen failing is listed, and with --strict it is a failure."""
    write(TESTS.replace("  - {scenario: leader-killed, name", "  - {scenario: leader-killed, world: {}, expect: pass}\n#"))
    ended = command("test")
    assert ended.code == 0
    assert "No test makes these objectives fail" in ended.out
    assert "! leader-killed  converge-one-leader" in ended.out
    strict = command("test", "--strict")
    assert strict.code == 1
    assert "✗ leader-killed  converge-one-leader" in strict.out


def test_json_holds_everything() -> None:
    """The JSON says of each test what was expected and what was seen."""
    write(TESTS, expected="pass")
    ended = command("test", "--format", "json")
    data = ended.data
    assert (ended.code, data["ok"], data["schema"], data["file"]) == (1, False, 1, "chaos-scenarios.test.yaml")
    assert [(test["name"], test["line"], test["ok"]) for test in data["tests"]] == [
        ("{leader back after: 3s}", 4, True),
        ("too <late>", 5, False),
    ]
    assert data["tests"][1]["expected"] == {"verdict": "pass"}
    assert data["tests"][1]["seen"]["objectives"]["converge-one-leader"] == "fail"
    assert {found["objective"] for found in data["never_failed"]} == {"converge-one-leader", "converge-writes"}


def test_junit_has_a_case_for_each_test(tmp_path: Path) -> None:
    """CI reads one case a test, a failure with its reason, and the objectives that no test makes fail."""
    write(TESTS, expected="pass")
    assert command("test", "--strict", "--junit", "results.xml").code == 1
    root = ET.parse("results.xml").getroot()
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert cases["{leader back after: 3s}"].find("failure") is None
    failure = cases["too <late>"].find("failure")
    assert failure is not None
    assert "expected pass, got fail" in str(failure.get("message"))
    assert cases["converge-writes"].find("failure") is not None
    assert (root.get("tests"), root.get("failures")) == ("4", "3")
    assert command("test", "--junit", "no/such/folder.xml").code == 4


def test_several_documents_are_tested_one_after_the_other() -> None:
    """Two files give two results, and the worse decides."""
    write(TESTS)
    Path("b.test.yaml").write_text(TESTS.replace("EXPECTED", "pass"), encoding="utf-8")
    ended = command("test", "chaos-scenarios.test.yaml", "b.test.yaml", "--format", "json")
    assert ended.code == 1
    assert [one["ok"] for one in ended.data] == [True, False]


def test_a_wrong_document_is_4_with_every_problem() -> None:
    """All mistakes are told at once, each with its place; nothing is run."""
    write(TESTS.replace("leader back after: 3s", "leader bak after: 3s").replace("name: too", "nam: too"))
    ended = command("test")
    assert ended.code == 4
    assert ended.out == ""
    assert "chaos-scenarios.test.yaml:4:39: error: unknown key 'leader bak after' [MC011]" in ended.err
    assert "chaos-scenarios.test.yaml:5:31" in ended.err


def test_wrong_references_are_4() -> None:
    """A scenario or an objective that is not there is a mistake of the document, with the nearest name."""
    write(TESTS.replace("scenario: leader-killed, name", "scenario: leader-kiled, name"), expected="{objectives: {x: fail}}")
    ended = command("test")
    assert ended.code == 4
    assert "did you mean leader-killed?" in ended.err


def test_problems_of_the_scenarios_are_told_too() -> None:
    """Where the scenario document itself is wrong, its problems are told with their lines."""
    file = Path("chaos-scenarios.yaml")
    file.write_text(file.read_text("utf-8").replace("rollback:", "roolback:"), encoding="utf-8")
    ended = command("test")
    assert ended.code == 4
    assert "chaos-scenarios.yaml:10:3: error: unknown key 'roolback'" in ended.err


@pytest.mark.parametrize("named", ["none.test.yaml", "chaos-scenarios.yaml", "."])
def test_no_test_document_is_4(named: str) -> None:
    """A file that is not there, or is no test document, is a mistake of the command line."""
    assert command("test", named).code == 4


def test_a_recorded_run_is_a_test(tmp_path: Path) -> None:
    """A stored run is judged with the thresholds of today; one of another scenario, or none, is a mistake."""
    assert command("run", "--out", "night").code == 0
    record = "version: 1\nscenarios: chaos-scenarios.yaml\ntests:\n  - {record: RECORD, expect: pass}\n"
    write(record.replace("RECORD", "night/runs/leader-killed/001"))
    assert command("test").code == 0
    write(record.replace("RECORD", "night"))
    ended = command("test")
    assert ended.code == 4
    assert "chaos-scenarios.test.yaml:4" in ended.err
    file = Path("chaos-scenarios.yaml")
    file.write_text(file.read_text("utf-8").replace("id: leader-killed", "id: other"), encoding="utf-8")
    write(record.replace("RECORD", "night/runs/leader-killed/001"))
    ended = command("test")
    assert (ended.code, "is a run of leader-killed" in ended.err) == (4, True), ended.err


def test_no_command_is_ever_run(tmp_path: Path) -> None:
    """A probe or a role that is a command is staged, not run."""
    environment = Path("simulated-mesh.yaml")
    text = environment.read_text("utf-8")
    roles = text.index("roles:")
    environment.write_text(
        text[:roles] + "roles:\n  leader: {command: [touch, ran-role]}\n" + text[text.index("metrics:") :], encoding="utf-8"
    )
    file = Path("chaos-scenarios.yaml")
    scenarios = file.read_text("utf-8")
    start, end = scenarios.index("      http:\n"), scenarios.index("      every: 100ms")
    probed = scenarios[:start] + "      command: [touch, ran-probe]\n" + scenarios[end:].replace("every: 100ms", "every: 1s")
    file.write_text(probed.replace("{for: 2s", "{for: 5s"), encoding="utf-8")
    write(TESTS)
    assert command("test").code == 0
    assert not list(tmp_path.rglob("ran-*"))


def test_lint_knows_test_documents() -> None:
    """Lint checks a test document against its scenarios, and takes the one beside the scenarios without being asked."""
    write(TESTS.replace("leader-killed, name", "leader-kiled, name"))
    assert command("lint", "chaos-scenarios.test.yaml").code == 4
    ended = command("lint")
    assert ended.code == 4
    assert "unknown scenario 'leader-kiled'" in ended.out


def test_the_schema_of_test_documents_is_printed() -> None:
    """Editors can have the schema of test documents."""
    ended = command("schema", "tests")
    assert ended.code == 0
    assert ended.data["title"] == "meshkit-chaos tests"
    assert "World" in ended.data["definitions"]

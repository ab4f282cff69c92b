"""``new``: a scenario and its tests are added as text, were tried, and what stood there stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_lines import Ended, command

LEADER = ("--fault", "kill", "--target", "role=leader")
ONE = "sum(etcd_server_is_leader) == 1 within 5s"


@pytest.fixture(autouse=True)
def first_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test begins with what ``init`` writes."""
    monkeypatch.chdir(tmp_path)
    assert command("init", "--simulated").code == 0
    return tmp_path


def text(name: str) -> str:
    return Path(name).read_text("utf-8")


def new(name: str, *more: str) -> Ended:
    return command("new", name, *more)


def test_a_new_scenario_is_green(tmp_path: Path) -> None:
    """The files lint clean afterwards, all tests come out, and the new objective was seen failing."""
    before, tests_before = text("chaos-scenarios.yaml"), text("chaos-scenarios.test.yaml")
    ended = new("leader-kill", *LEADER, "--slo", ONE, "--hold", "4s")
    assert ended.code == 0, ended.err
    assert text("chaos-scenarios.yaml").startswith(before)
    assert text("chaos-scenarios.test.yaml").startswith(tests_before)
    assert "promql" not in text("chaos-scenarios.yaml").removeprefix(before), "the indicator that is there is used again"
    assert command("lint").out == ""
    tested = command("test", "--strict")
    assert tested.code == 0, tested.out
    assert "7 tests, all as expected; 3 of 3 objectives seen failing" in tested.out


@pytest.mark.parametrize(
    "more",
    [
        ("--fault", "pause", "--target", "role=leader", "--slo", "one-leader within 4s of the revert"),
        ("--fault", "kill", "--target", "count=1", "--target", "not_role=leader", "--slo", "writes during hold"),
        ("--fault", "kill", "--target", "count=2", "--slo", "one-leader within 8s of the revert", "--slo", "writes within 9s"),
        (
            *("--fault", "latency", "--with", "delay=100ms", "--with", "way=both", "--target", "role=leader"),
            *("--slo", "one-leader within 4s of the revert"),
        ),
        pytest.param(
            ("--fault", "restart", "--target", "names=node-1", "--slo", "one-leader within 5s"), marks=pytest.mark.slow
        ),
        pytest.param(
            ("--fault", "kill", "--target", "share=20%", "--slo", "one-leader within 5s", "--title", 'Say: "hello"'),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_all_kinds_of_scenarios_are_tried(more: tuple[str, ...]) -> None:
    """Whatever the fault and the objective, there is a world that passes and one that fails, and all tests come out."""
    ended = new("another", *more)
    assert ended.code == 0, ended.err
    assert "no world was found" not in ended.err
    assert command("lint").out == ""
    assert command("test", "--strict").code == 0


@pytest.mark.parametrize(
    "slo",
    [
        "max(my_lag_seconds) <= 0.5 within 4s",
        'sum(my_shards{state="ok"}) == 12 during hold',
        "sum(rate(my_errors_total[1s])) <= 1 within 4s",
        pytest.param("sum(my_ok) / sum(my_all) > 0.9 within 3s", marks=pytest.mark.slow),
        pytest.param("sum(is_coordinator) == 1 within 5s", marks=pytest.mark.slow),
        pytest.param("count(my_node) >= 3 within 6s", marks=pytest.mark.slow),
        'sum(etcd_server_is_leader{job="mesh"}) == 1 within 5s',
        pytest.param("sum(my_free) between 3 and 5 within 4s", marks=pytest.mark.slow),
        pytest.param("sum(my_lost) < 1 within 4s", marks=pytest.mark.slow),
        pytest.param("sum(my_state) != 3 within 4s", marks=pytest.mark.slow),
    ],
)
def test_metrics_that_no_world_exports_are_told(slo: str) -> None:
    """For metrics of the user's own mesh, the tests bring the series; both verdicts were seen."""
    environment = Path("simulated-mesh.yaml")
    environment.write_text(
        "\n".join(line for line in environment.read_text("utf-8").splitlines() if "names:" not in line) + "\n", encoding="utf-8"
    )
    ended = new("mine", *LEADER, "--slo", slo)
    assert ended.code == 0, ended.err
    assert "no world was found" not in ended.err, ended.err
    assert "series:" in text("chaos-scenarios.test.yaml")
    tested = command("test", "--strict")
    assert tested.code == 0, tested.out


def test_comments_and_order_stay(tmp_path: Path) -> None:
    """Comments, blank lines and keys behind the scenarios stay where they are."""
    file = Path("chaos-scenarios.yaml")
    written = text("chaos-scenarios.yaml")
    head, _, rest = written.partition("defaults:")
    defaults, _, tail = rest.partition("\nindicators:")
    moved = head + "# what is measured\nindicators:" + tail + "\n# for all of them\ndefaults:" + defaults
    file.write_text(moved, encoding="utf-8")
    assert command("lint").out == ""
    ended = new("leader-kill", *LEADER, "--slo", "max(up) == 1 within 5s")
    assert ended.code == 0, ended.err
    diff = subprocess.run(["diff", "-", file], input=moved, capture_output=True, text=True, check=False).stdout
    assert diff
    assert not [line for line in diff.splitlines() if line.startswith("<")]
    assert text("chaos-scenarios.yaml").endswith("# for all of them\ndefaults:" + defaults)
    assert command("lint").code == 0


def test_a_document_without_tests_and_defaults_gets_them(tmp_path: Path) -> None:
    """Without a default the scenario says itself what normal is; without a test document, one is written."""
    Path("only.yaml").write_text(
        "version: 1\nenvironment: simulated-mesh.yaml\n"
        "indicators:\n  writes: {promql: max(etcd_server_has_leader), good: '== 1'}\n"
        "# the list\nscenarios:\n- id: one\n  title: x\n  steady_state: {for: 1s, indicators: [writes]}\n"
        "  steps: [{fault: kill, target: {role: leader}, hold: 1s}]\n  objectives: [{converge: writes, within: 5s}]\n",
        encoding="utf-8",
    )
    ended = new("two", *LEADER, "--slo", ONE, "--file", "only.yaml")
    assert ended.code == 0, ended.err
    assert "- id: two\n" in text("only.yaml")
    assert "\n  steady_state: {for: 2s, indicators: [etcd-server-is-leader]}" in text("only.yaml")
    assert text("only.test.yaml").startswith("version: 1\nscenarios: only.yaml\n")
    assert command("test", "only.test.yaml").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("leader-killed", *LEADER, "--slo", ONE), "there is a scenario 'leader-killed' already"),
        (("Leader", *LEADER, "--slo", ONE), "not an id"),
        (("x", "--fault", "kil", "--target", "role=leader", "--slo", ONE), "did you mean 'kill'"),
        (("x", "--fault", "kill", "--target", "rol=leader", "--slo", ONE), "did you mean 'role'"),
        (("x", "--fault", "kill", "--target", "role=leeder", "--slo", ONE), "did you mean leader?"),
        (("x", *LEADER, "--slo", "one-leder within 5s"), "did you mean the indicator 'one-leader'"),
        (("x", *LEADER, "--slo", "sum(a == 1 within 5s"), "cannot be read"),
        (("x", *LEADER, "--slo", "one-leader"), "expected 'QUERY BAND within DURATION'"),
        (("x", *LEADER, "--slo", "one-leader within 5s", "--hold", "4"), "--hold"),
        (("x", *LEADER, "--slo", "one-leader within 100ms"), "MC107"),
        (("x", *LEADER, "--slo", "sum(etcd_server_is_leadr) == 1 within 5s"), "did you mean etcd_server_is_leader?"),
        (("x", *LEADER, "--slo", ONE, "--file", "none.yaml"), "meshkit-chaos init"),
    ],
)
def test_what_cannot_be_added_changes_nothing(arguments: tuple[str, ...], said: str) -> None:
    """A wrong word ends with 4 and a hint; both files stay as they were."""
    before = text("chaos-scenarios.yaml"), text("chaos-scenarios.test.yaml")
    ended = new(*arguments)
    assert ended.code == 4, ended
    assert said in ended.err
    assert (text("chaos-scenarios.yaml"), text("chaos-scenarios.test.yaml")) == before


def test_a_list_in_brackets_is_refused() -> None:
    """Where no line can be added, the tool says so instead of writing the document anew."""
    file = Path("flow.yaml")
    file.write_text(
        "version: 1\nenvironment: simulated-mesh.yaml\nindicators: {a: {promql: max(up), good: '== 1'}}\nscenarios: [{id: one, "
        "title: x, steady_state: {for: 1s, indicators: [a]}, steps: [{fault: kill, target: {role: leader}, hold: 1s}], "
        "objectives: [{converge: a, within: 5s}]}]\n",
        encoding="utf-8",
    )
    before = text("flow.yaml")
    ended = new("two", *LEADER, "--slo", "a within 5s", "--file", "flow.yaml")
    assert (ended.code, text("flow.yaml")) == (4, before)
    assert "written in brackets" in ended.err


def test_an_objective_that_no_world_makes_fail_is_said() -> None:
    """The scenario is added, and it is said which objective still lacks a test that makes it fail."""
    ended = new("guarded", *LEADER, "--slo", "one-leader during baseline", "--slo", "one-leader within 5s")
    assert ended.code == 0, ended
    assert "no world was found" in ended.err
    assert command("test").code == 0
    assert command("test", "--strict").code == 1


def test_a_demand_that_looks_at_the_baseline_only_is_refused() -> None:
    """Whatever the fault did, such a scenario would pass; nothing is written."""
    before = Path("chaos-scenarios.yaml").read_bytes()
    ended = new("guarded", *LEADER, "--slo", "one-leader during baseline")
    assert ended.code == 4, ended
    assert "baseline only" in ended.err
    assert Path("chaos-scenarios.yaml").read_bytes() == before

"""``mutate``: stored runs, distorted."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import command, write_documents
from virtual_runs import INDICATORS, document, invoke, scenario_text

BLIND = INDICATORS.replace("sum(etcd_server_is_leader)", "sum(etcd_server_is_leader) or absent(etcd_server_is_leader)")
BLIND = BLIND.replace('"== 1"', '"== 1", missing: skip')
OPTIONAL = "[{converge: one-leader, within: 5s, disturbance: optional}]"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has its own working folder."""
    monkeypatch.chdir(tmp_path)


def test_a_sound_scenario_ends_with_0(tmp_path: Path) -> None:
    """Of a run that passed, every distortion is noticed; a single run can be named as well."""
    out = invoke(tmp_path / "out").out
    ended = command("mutate", out)
    assert ended.code == 0, ended
    assert ended.out.count("✓") == 6
    assert "6 distortions, 0 not noticed" in ended.err
    assert command("mutate", out / "runs" / "leader-killed" / "001").code == 0


def test_a_blind_objective_ends_with_1(tmp_path: Path) -> None:
    """A query that makes up a good value, and is told to skip what is missing, stays green when its metric vanishes."""
    text = document(scenario_text(objectives=OPTIONAL), indicators=BLIND)
    ended = command("mutate", invoke(tmp_path / "out", text).out)
    assert ended.code == 1, ended
    assert "✗ vanishes        pass         stays green although its series are not exported" in ended.out


def test_json_names_every_mutant(tmp_path: Path) -> None:
    """Each distortion is told with its verdict and whether it survives."""
    data = command("mutate", invoke(tmp_path / "out").out, "--format", "json").data["mutants"]
    assert [one["mutation"] for one in data][:2] == ["never recovers", "recovers late"]
    assert {one["scenario"] for one in data} == {"leader-killed"}
    assert not any(one["survives"] for one in data)


def test_nothing_that_passed_ends_with_2(tmp_path: Path) -> None:
    """A run in which no key objective passed cannot be tried: that is no pass."""
    text = document(scenario_text(objectives="[{converge: one-leader, within: 500ms}]"))
    ended = command("mutate", invoke(tmp_path / "out", text).out)
    assert ended.code == 2
    assert "nothing was tried" in ended.err


def test_todays_objectives_can_be_tried(tmp_path: Path) -> None:
    """With --file the objectives of that file are tried; it must hold the scenario."""
    out = invoke(tmp_path / "out").out
    changed = write_documents(
        tmp_path / "docs", document(scenario_text(objectives="[{converge: one-leader, id: x, within: 4s}]"))
    )
    assert "  x\n" in command("mutate", out, "--file", changed).out
    other = write_documents(tmp_path / "other", document().replace("id: leader-killed", "id: other"))
    assert command("mutate", out, "--file", other).code == 4


@pytest.mark.parametrize("named", ["nothing", "."])
def test_what_is_no_run_is_4(named: str) -> None:
    """A folder without runs is a mistake of the command line."""
    assert command("mutate", named).code == 4

"""Shards: every scenario in exactly one of them, none empty, and none taken for the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.campaign.log import InvocationStarted, read_log
from meshkit_chaos.campaign.sharding import Shard
from meshkit_chaos.cli.app import run
from meshkit_chaos.errors import UsageError
from meshkit_chaos.scenario.load import load_scenarios

ROOT = Path(__file__).resolve().parents[2] / "src/meshkit_chaos"
LOADED = load_scenarios((ROOT / "demo/chaos-scenarios.yaml").read_bytes(), path="x").value
assert LOADED is not None
FOUR = LOADED.scenarios


@given(st.integers(1, 40), st.data())
def test_the_shards_of_a_selection_are_a_partition(count: int, data: st.DataObject) -> None:
    """Each scenario is in exactly one shard, in the file's order, and shards differ by one at most."""
    shards = data.draw(st.integers(1, count))
    scenarios = tuple(FOUR[number % 4] for number in range(count))
    numbered = tuple(range(count))
    parts = [numbered[shard - 1 :: shards] for shard in range(1, shards + 1)]
    assert [len(Shard(shard, shards).part(scenarios)) for shard in range(1, shards + 1)] == [len(part) for part in parts]
    assert sorted(number for part in parts for number in part) == list(numbered)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(parts)


def test_a_shard_takes_every_nth() -> None:
    """By the order of the file, so that the same selection is always split the same way."""
    assert [scenario.id for scenario in Shard.parse("2/2").part(FOUR)] == ["leader-paused", "leader-back-in-half-a-second"]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", "01/2", "1/99999"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """I from 1 to N, in plain digits."""
    with pytest.raises(UsageError, match="is not I/N"):
        Shard.parse(text)


def test_more_shards_than_scenarios_are_refused_by_every_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4 with the number that would fit: an empty shard neither fails a night by chance nor stands for evidence."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    asked = ["--file", str(ROOT / "demo/chaos-scenarios.yaml"), "--env", str(ROOT / "starter/simulated-mesh.yaml")]
    for shard in ("1/3", "3/3"):
        out = tmp_path / shard.replace("/", "-")
        assert run(["run", *asked, "--tag", "smoke", "--shard", shard, "--out", str(out)]) == 4
        assert "at most 2 shards" in capsys.readouterr().err
        assert not out.exists()


def test_one_scenario_is_one_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The number that would fit is told in good English."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    asked = ["--file", str(ROOT / "demo/chaos-scenarios.yaml"), "--env", str(ROOT / "starter/simulated-mesh.yaml")]
    assert run(["run", "leader-killed", *asked, "--shard", "1/2", "--out", str(tmp_path / "out")]) == 4
    assert "at most 1 shard in" in capsys.readouterr().err


def test_the_log_says_that_it_was_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no reader takes the part for the whole."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    asked = ["--file", str(ROOT / "demo/chaos-scenarios.yaml"), "--env", str(ROOT / "starter/simulated-mesh.yaml")]
    assert run(["run", *asked, "--tag", "smoke", "--shard", "2/2", "--seed", "1", "--out", str(tmp_path / "out")]) == 0
    started = read_log(tmp_path / "out")[0]
    assert isinstance(started, InvocationStarted)
    assert started.selection == ("tag:smoke", "shard:2/2")
    assert [scenario.id for scenario in started.scenarios] == ["leader-paused"]

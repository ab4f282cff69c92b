"""``shrink`` on real etcd: a leader's death among other troubles is found to be the one that costs the leader."""

from __future__ import annotations

import json
import re

import pytest
from lab_runs import Corner

from meshkit_chaos.campaign.attempts import TRIES, read_search
from meshkit_chaos.campaign.results import read_results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SCENARIO = """
  - id: everything
    title: There is never a moment without a leader, whatever happens
    timeout: 60s
    steps:
      - {fault: pause, id: bystander, target: {not_role: leader, count: 1}, hold: 300ms}
      - {wait: 300ms}
      - {fault: kill, id: leader-dies, target: {role: leader}, hold: 1500ms}
      - {fault: restart, id: afterwards, target: {not_role: leader, count: 1}}
    objectives: [{converge: one-leader, within: 400ms, settle: 1s, after: leader-dies}]
"""


def test_the_kill_of_the_leader_is_what_is_left(corner: Corner) -> None:
    """A limit that no election can keep: of four steps one is left, it is held for less long, and all runs of it failed."""
    environment, path = corner.folder / "etcd-lab.yaml", corner.folder / "chaos-scenarios.yaml"
    text = environment.read_text(encoding="utf-8")
    text = text.replace("election-timeout=200", "election-timeout=1000").replace("every: 500ms, timeout: 500ms", "every: 200ms")
    environment.write_text(text, encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").rstrip() + SCENARIO, encoding="utf-8")
    failed = corner.run("everything")
    assert failed.ended(within=60) == 1, failed.said()
    out = corner.folder / "small"
    words = ("shrink", str(failed.folder), "--out", str(out), "--confirm", "4", "--runs", "40", "--format", "json")
    code, told, said = corner.command(*words, within=540)
    assert code in {0, 2}, said
    found = json.loads(told)
    assert re.findall(r"^  - fault: (\S+)", found["document"], re.MULTILINE) == ["kill"], found["document"]
    assert found["failures"] >= 2
    assert found["interval"][0] > found["test"]["seldom"] / 2
    attempts = read_search(out)[1]
    assert len(attempts) == len(list((out / TRIES).iterdir())) == found["runs_made"]
    assert all(read_results(out / one.folder).verdict.environment == "clean" for one in attempts)
    assert not corner.left()

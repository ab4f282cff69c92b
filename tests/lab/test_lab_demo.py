"""The demo on real etcd, as the readme describes it."""

from __future__ import annotations

import pytest
from lab_runs import Corner, as_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
_WITHIN_S = 180.0
_MEANT_TO_FAIL = "leader-back-in-half-a-second"


def test_the_demo_twice_in_a_row(corner: Corner) -> None:
    """Each time every scenario comes out as it should, the one that is meant to fail included, and nothing is left."""
    for out in ("first", "second"):
        code, told, said = corner.command("demo", "--out", str(corner.folder / out), "--format", "json", within=_WITHIN_S)
        assert code == 0, said
        answer = as_json(told)
        assert isinstance(answer, dict)
        assert [scenario["verdict"] for scenario in answer["scenarios"]].count("fail") == 1
        assert not corner.left()
        assert (corner.folder / out / "report.html").stat().st_size > 10_000
    code, _, _ = corner.command("judge", str(corner.folder / "first"))
    assert code == 1, "judged again, the demo's one failure is a failure"


def test_two_demos_at_once_on_one_machine(corner: Corner) -> None:
    """They meet in no port, no folder and no process: each is whole and clean, and misses nothing that it should not.

    Together they keep two cores busier than scrapes of 200 ms allow for, so that a scenario may well be undecided.
    """
    both = {out: corner.start("demo", "--out", str(corner.folder / out)) for out in ("left", "right")}
    for out, one in both.items():
        assert one.ended(within=_WITHIN_S) in (0, 1), one.said()
        answer = as_json((corner.folder / out / "verdict.json").read_text(encoding="utf-8"))
        assert isinstance(answer, dict)
        assert answer["environment"] == "clean", one.said()
        verdicts = {scenario["scenario"]: scenario["verdict"] for scenario in answer["scenarios"]}
        assert verdicts.pop(_MEANT_TO_FAIL) != "pass", one.said()
        assert len(verdicts) == 3
        assert "fail" not in verdicts.values(), one.said()
    assert not corner.left()

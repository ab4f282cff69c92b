"""The demo on real etcd, as the readme describes it."""

from __future__ import annotations

import pytest
from lab_runs import Corner, as_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
_WITHIN_S = 180.0


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
    """They meet in no port, no folder and no process."""
    both = [corner.start("demo", "--out", str(corner.folder / out)) for out in ("left", "right")]
    for one in both:
        assert one.ended(within=_WITHIN_S) == 0, one.said()
    assert not corner.left()

"""What real members said, from their logs to the page of their run."""

from __future__ import annotations

import re

import pytest
from lab_runs import Corner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
_SOON_S = 1.0


def test_what_etcd_said_stands_on_the_time_line_of_its_run(corner: Corner) -> None:
    """Every member has a lane; those that are left say at once that the leader is gone; nothing is without a place."""
    run = corner.run("leader-killed")
    assert run.ended() in (0, 2), run.said()  # a busy machine may leave it open, never refute it
    place = ("--history", str(corner.folder / "history"))
    code, _, said = corner.command("history", "import", str(run.out), *place)
    assert code == 0, said
    code, _, said = corner.command("dashboard", "export", str(corner.folder / "site"), *place)
    assert code == 0, said
    (page,) = (file.read_text(encoding="utf-8") for file in (corner.folder / "site/run").glob("*.html"))
    lanes = re.search(r'aria-label="What members said: ([^"]*)"', page)
    assert lanes is not None
    assert all(f"etcd-{number}: " in lanes[1] for number in (1, 2, 3))
    lost = re.findall(r'data-at="([-\d.]+)" class="warning">.*lost TCP streaming connection with remote peer', page)
    assert any(0 <= float(at) < _SOON_S for at in lost)
    assert "without a time stamp" not in page

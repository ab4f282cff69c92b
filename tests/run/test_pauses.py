"""Nothing of ours stops the world while a run measures it."""

from __future__ import annotations

import gc
from types import SimpleNamespace

from meshkit_chaos.run.runner import _without_pauses


def test_collections_spare_what_was_there_before_a_run() -> None:
    """What the program made until then is not looked at again and again while members are probed; afterwards it is."""
    before = gc.get_freeze_count()
    with _without_pauses(SimpleNamespace(watched=True)):  # type: ignore[arg-type]  # nothing else is asked of the order
        assert gc.get_freeze_count() > before + 1000
    assert gc.get_freeze_count() == 0


def test_a_run_in_virtual_time_is_left_alone() -> None:
    """Thousands of simulated runs in one process need their garbage collected, and have no time that could pass."""
    with _without_pauses(SimpleNamespace(watched=False)):  # type: ignore[arg-type]  # as above
        assert gc.get_freeze_count() == 0

"""A storm of blows at seeded moments: runner, watchdog, both, a member, the disk. Nothing stays, nothing becomes a pass.

``MESHKIT_CHAOS_STORM=300 python -m pytest tests/lab/test_lab_storm.py -n 2`` strikes 300 runs instead of 30.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from lab_disk import small_disk
from lab_documents import hurry_documents
from lab_runs import Corner
from storm import DISK_SIZE, Aftermath, Blow, Storm

_SEEDS = "MESHKIT_CHAOS_STORM"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get(_SEEDS, "30"))))
def test_nothing_is_left_and_nothing_passes_wherever_a_run_is_struck(
    corner: Corner, note_blow: Callable[[Aftermath], None], seed: int
) -> None:
    """While a watchdog lives nothing is left; where both died `recover` leaves nothing; the record is judged, as no pass."""
    blow = Blow.drawn(seed)
    if blow.kind == "SIGSTOP runner":
        hurry_documents(corner.folder)
    with ExitStack() as after:
        disk = None
        if blow.kind == "full disk":
            disk = small_disk(corner.folder / "disk", size=DISK_SIZE)
            after.callback(disk.close)
            after.callback(corner.sweep)
        try:
            note_blow(Storm(blow, corner, disk).weather())
        except BaseException as error:
            error.add_note(f"{blow}\nin {corner.folder}\nreplay: {replay(seed)}")
            raise


def replay(seed: int) -> str:
    """The command that strikes one run again."""
    name = test_nothing_is_left_and_nothing_passes_wherever_a_run_is_struck.__name__
    return f"{_SEEDS}={seed + 1} python -m pytest 'tests/lab/test_lab_storm.py::{name}[{seed}]'"

"""A storm over every kind of fault: whichever is in force, wherever its run is struck, nothing of it stays on the machine.

``MESHKIT_CHAOS_STORM_FAULTS=300 python -m pytest tests/lab/test_lab_storm_faults.py -n 2`` strikes 300 runs instead of 12.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from lab_disk import small_disk
from lab_documents import hurry_documents
from lab_runs import Corner
from leftovers import LEFT, Machine
from storm import DISK_SIZE, Aftermath, Blow, Ground, Storm
from test_lab_network import possible  # noqa: F401  # a fixture

from meshkit_chaos.faults import CATALOGUE

_SEEDS = "MESHKIT_CHAOS_STORM_FAULTS"
GROUND = Ground(scenarios=tuple(f"under-{kind}" for kind in CATALOGUE), whole_s=7.0, lines=50)


def scenarios() -> str:
    """One scenario for each kind, made of the kind's own example: a kind that is new is struck, too."""
    return "".join(
        f"  - id: under-{kind}\n    title: Struck while {kind} is in force\n    timeout: 60s\n"
        f"    blast_radius: {{members: 3}}\n    steps:\n{_indented(re.sub(r'hold: [0-9]+s', 'hold: 1500ms', fault.example))}"
        "    objectives: [{recover: one-leader, within: 6s, settle: 1s, disturbance: optional}]\n"
        for kind, fault in CATALOGUE.items()
    )


def _indented(text: str) -> str:
    return "".join(f"      {line}\n" for line in text.splitlines())


@pytest.fixture
def networked(corner: Corner, possible: None) -> Corner:  # noqa: F811  # the fixture
    """The lab with a network for its members, and a scenario for each kind of fault."""
    environment, file = corner.folder / "etcd-lab.yaml", corner.folder / "chaos-scenarios.yaml"
    text = environment.read_text(encoding="utf-8")
    environment.write_text(text.replace("kind: process\n", "kind: process\nnetwork: isolated\n"), encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8") + scenarios(), encoding="utf-8")
    return corner


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get(_SEEDS, "12"))))
def test_nothing_of_any_fault_is_left_wherever_its_run_is_struck(
    networked: Corner, note_blow: Callable[[Aftermath], None], request: pytest.FixtureRequest, seed: int
) -> None:
    """No process, namespace, link, rule, queue, mount or cgroup of it stays, and what was struck is no pass."""
    blow = Blow.drawn(seed, GROUND)
    before = Machine.now()
    if blow.kind == "SIGSTOP runner":
        hurry_documents(networked.folder)
    with ExitStack() as after:
        disk = None
        if blow.kind == "full disk":
            disk = small_disk(networked.folder / "disk", size=DISK_SIZE)
            after.callback(disk.close)
            after.callback(networked.sweep)
        try:
            storm = Storm(blow, networked, disk)
            note_blow(storm.weather())
            marks = tuple(mark for mark in (storm.marker, str(networked.temporary)) if mark)
            afterwards = Machine.now()
            left = afterwards.new_since(before, marks=marks)
            assert not left, left
            request.node.user_properties.append((LEFT, (before.counts(), afterwards.counts())))
        except BaseException as error:
            error.add_note(f"{blow}\nin {networked.folder}\nreplay: {replay(seed)}")
            raise


def replay(seed: int) -> str:
    """The command that strikes one run again."""
    name = test_nothing_of_any_fault_is_left_wherever_its_run_is_struck.__name__
    return f"{_SEEDS}={seed + 1} python -m pytest 'tests/lab/test_lab_storm_faults.py::{name}[{seed}]'"

"""The storm over faults of links: a run that goes through all of them is struck at a seeded moment; nothing of it stays.

``MESHKIT_CHAOS_STORM=300 python -m pytest tests/lab/test_lab_storm_links.py -n 2`` strikes 300 runs instead of 6.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from lab_runs import Corner
from storm import Aftermath, Blow, Kind, Storm
from test_lab_faults import with_scenarios
from test_lab_network import networked, possible  # noqa: F401  # fixtures

KINDS: tuple[Kind, ...] = (
    "kill -9 runner",
    "kill -9 watchdog, runner",
    "SIGTERM runner",
    "kill -9 member",
    "kill -9 runner, watchdog",
    "kill -9 watchdog",
)
SCENARIO = """
  - id: all-links
    title: Every trouble that a link can have, one upon another
    timeout: 60s
    steps:
      - {fault: latency, id: slow, target: {names: [etcd-2]}, with: {delay: 3ms},
         ramp: {parameter: delay, to: 9ms, over: 300ms, steps: 2}}
      - {fault: packet-loss, target: {names: [etcd-2]}, with: {loss: 40%, burst: 2}, hold: 300ms}
      - {parallel: [{fault: corruption, target: {names: [etcd-2]}, with: {share: 40%}, hold: 300ms},
                    {fault: duplication, target: {names: [etcd-2]}, with: {share: 40%}, hold: 300ms}]}
      - {fault: reordering, target: {names: [etcd-2]}, with: {share: 40%}, hold: 200ms}
      - {fault: bandwidth, target: {names: [etcd-2]}, with: {rate: 32kbit}, hold: 300ms}
      - {revert: slow}
      - {repeat: 2, every: 500ms, steps: [{fault: partition, target: {names: [etcd-3]}, hold: 200ms}]}
      - {fault: stop, target: {names: [etcd-2]}, hold: 200ms}
    objectives: [{recover: one-leader, within: 4s, settle: 500ms, disturbance: optional}]
"""
LINES, WHOLE_S = 90, 8.0


def drawn(seed: int) -> Blow:
    """A blow of the storm, over this run: half of the moments just behind a line of the journal."""
    chance = random.Random(f"links/{seed}")
    by_line = chance.random() < 0.5
    return replace(
        Blow.drawn(seed),
        kind=KINDS[seed % len(KINDS)],
        scenario="all-links",
        line=chance.randint(1, LINES) if by_line else None,
        after=chance.uniform(0, 0.03) if by_line else chance.uniform(0.3, WHOLE_S),
    )


@pytest.mark.slow
@pytest.mark.lab
@pytest.mark.parametrize("seed", range(int(os.environ.get("MESHKIT_CHAOS_STORM", "6"))))
def test_no_link_stays_shaped_wherever_a_run_is_struck(
    networked: Corner,  # noqa: F811  # the fixture
    note_blow: Callable[[Aftermath], None],
    seed: int,
) -> None:
    """Whoever dies at whatever moment: members, switch and namespaces are gone, `recover` does the rest, nothing passes."""
    with_scenarios(networked, SCENARIO)
    blow = drawn(seed)
    try:
        note_blow(Storm(blow, networked, None).weather())
    except BaseException as error:
        error.add_note(f"{blow}\nin {networked.folder}")
        raise

"""Scenarios from a few words: what is read, what is written, and what is told when it cannot be read."""

from __future__ import annotations

import pytest
import yaml

from meshkit_chaos.scenario.sketch import Demand, Sketch, read_demand, read_fault, read_id, read_target
from meshkit_chaos.slo import Band, Duration

KNOWN: dict[str, tuple[str, Band] | None] = {
    "one-leader": ("sum(is_leader)", Band.parse("== 1")),
    "writes": None,
    "lag": ("max(lag)", Band.parse("<= 1")),
}
FIVE = Duration.parse("5s")


@pytest.mark.parametrize(
    ("written", "demand"),
    [
        ("one-leader within 5s", Demand(form="converge", indicator="one-leader", within=FIVE)),
        ("writes within 5s of the revert", Demand(form="recover", indicator="writes", within=FIVE)),
        ("writes during baseline", Demand(form="stay", indicator="writes", phase="baseline")),
        ("sum(is_leader) == 1 within 5s", Demand(form="converge", indicator="one-leader", within=FIVE)),
        (
            "max(lag) <= 2 within 5s",
            Demand(form="converge", indicator="lag-2", query="max(lag)", band=Band.parse("<= 2"), within=FIVE),
        ),
        (
            'sum(shards{state="ok"})  between 3 and 5  during hold',
            Demand(
                form="stay",
                indicator="shards",
                query='sum(shards{state="ok"})',
                band=Band.parse("between 3 and 5"),
                phase="hold",
            ),
        ),
        (
            "count(up == 1) >= 2 within 5s",
            Demand(form="converge", indicator="up", query="count(up == 1)", band=Band.parse(">= 2"), within=FIVE),
        ),
    ],
)
def test_an_objective_in_words(written: str, demand: Demand) -> None:
    """An objective is read from one line; an indicator that the document has is used again."""
    assert read_demand(written, KNOWN) == demand


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("one-leader", "does not say `within` or `during`"),
        ("one-leder within 5s", "did you mean the indicator 'one-leader'"),
        ("sum(is_leader within 5s", "has no band"),
        ("sum(is_leader == 1 within 5s", "cannot be read"),
        ("one-leader within 5", "not a duration"),
        ("one-leader during holiday", "no phase; expected one of"),
        ("sum(a) between 3 and 1 within 5s", "is empty"),
    ],
)
def test_what_is_no_objective_is_told(written: str, said: str) -> None:
    """What cannot be read is told with what was expected."""
    with pytest.raises(ValueError, match=said):
        read_demand(written, KNOWN)


def test_targets_become_yaml() -> None:
    """Each key of a target is read with its own kind of value."""
    assert read_target(["role=leader"]) == {"role": "leader"}
    assert read_target(["names=a, b-1", "count=2"]) == {"names": "[a, b-1]", "count": "2"}
    assert read_target(["share=30%", "not_role=leader"]) == {"share": "30%", "not_role": "leader"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (["rol=leader"], "did you mean 'role'"),
        (["leader"], "unknown key 'leader'"),
        (["role="], "has no value"),
        (["count=many"], "not a number of members"),
        (["count=0"], "not a number of members"),
        (["share=300%"], "more than the whole"),
        (["role=a", "role=b"], "given twice"),
    ],
)
def test_what_is_no_target_is_told(written: list[str], said: str) -> None:
    """A wrong target is told with what was expected."""
    with pytest.raises(ValueError, match=said):
        read_target(written)


def test_names_are_checked() -> None:
    """Faults are those of the catalogue; an id must be one, and free."""
    assert read_fault("kill") == "kill"
    with pytest.raises(ValueError, match="did you mean 'pause'"):
        read_fault("pasue")
    with pytest.raises(ValueError, match="known: kill"):
        read_fault("earthquake")
    assert read_id("a-1", ["a"]) == "a-1"
    with pytest.raises(ValueError, match="already"):
        read_id("a", ["a"])
    with pytest.raises(ValueError, match="not an id"):
        read_id("A B", [])


def test_a_sketch_is_written_as_yaml() -> None:
    """The text is a scenario; what the document's defaults do not say, it says itself."""
    sketch = Sketch(
        id="two-killed",
        title="Two: gone",
        fault="kill",
        target={"count": "2"},
        hold=FIVE,
        demands=(read_demand("max(lag) <= 2 within 5s", KNOWN), read_demand("writes during hold", KNOWN)),
    )
    assert yaml.safe_load(sketch.text(steady_state=True)) == [
        {
            "id": "two-killed",
            "title": "Two: gone",
            "steady_state": {"for": "2s", "indicators": ["lag-2", "writes"]},
            "blast_radius": {"members": 2},
            "steps": [{"fault": "kill", "target": {"count": 2}, "hold": "5s"}],
            "objectives": [{"converge": "lag-2", "within": "5s"}, {"stay": "writes", "during": "hold"}],
        }
    ]
    assert "steady_state" not in sketch.text(steady_state=False)
    assert [yaml.safe_load(text) for text in sketch.indicators()] == [{"lag-2": {"promql": "max(lag)", "good": "<= 2"}}]

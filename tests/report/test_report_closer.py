"""Where one may look closer: at faults, at recoveries, and round the first injection; never outside what is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.journal.record import FaultWindow
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.closer import parts
from meshkit_chaos.report.plot import Mark

SECOND = 10**9
AXIS = TimeAxis(start=0, end=100 * SECOND, zero=20 * SECOND)


def fault(start: float, end: float | None) -> FaultWindow:
    reverted = None if end is None else round(end * SECOND)
    return FaultWindow(
        node="n", fault="kill", members=("a",), undo=(), deadline=0, intended=round(start * SECOND), reverted=reverted
    )  # fmt: skip


def recovery(start: float, end: float | None, name: str = "r") -> Mark:
    acted = (round(start * SECOND), round(start * SECOND) + 1)
    hi = None if end is None else round(end * SECOND)
    return Mark(name=name, verdict="pass", acted=acted, lo=acted[1], hi=hi, limit_ns=SECOND, text="", limit="")


def test_a_fault_and_its_recovery_have_a_button() -> None:
    """Each with some air round it, and five seconds on both sides of the injection."""
    found = parts([fault(20, 30)], [recovery(20, 22)], axis=AXIS)
    assert [(part.name, part.start, part.end) for part in found] == [
        ("fault", "-1.500", "11.500"),
        ("convergence", "-0.300", "2.300"),
        ("±5 s", "-5.000", "5.000"),
    ]


def test_several_are_told_apart() -> None:
    """By number and by name; what never came back has no button of its own."""
    marks = [recovery(20, 22, "one"), recovery(40, 43, "two"), recovery(40, None, "never")]
    found = parts([fault(20, 30), fault(40, None)], marks, axis=AXIS)
    assert [part.name for part in found] == ["fault 1", "fault 2", "one", "two", "±5 s"]
    assert found[1].end == "80.000"


def test_a_run_without_a_fault_has_none() -> None:
    """There is only the whole."""
    assert parts([], [], axis=AXIS) == ()


@given(st.lists(st.tuples(st.floats(-50, 150), st.floats(0, 100)), max_size=9), st.booleans())
def test_no_part_leaves_the_axis(spans: list[tuple[float, float]], marked: bool) -> None:
    """Whatever the faults, each part has a length and lies within what is drawn."""
    faults = [fault(start, start + took) for start, took in spans]
    marks = [recovery(start, start + took) for start, took in spans] if marked else []
    for part in parts(faults, marks, axis=AXIS):
        assert -20 <= float(part.start) <= float(part.end) <= 80

"""The drawings: axes, thinning, and robustness against any data."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
import report_builder as build
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.journal.record import fault_windows, phase_spans
from meshkit_chaos.report.axis import TimeAxis, nice_step, nice_ticks, value_axis
from meshkit_chaos.report.model import Plot
from meshkit_chaos.report.plot import Mark, in_words, indicator_plot
from meshkit_chaos.report.shape import COLUMNS, drawn, steps, stretches, thinned
from meshkit_chaos.report.timeline import interval_bar, time_line
from meshkit_chaos.slo import Band

AXIS = TimeAxis(start=0, end=10 * 10**9, zero=2 * 10**9)
values = st.none() | st.floats(allow_nan=True, allow_infinity=True)
bands = st.sampled_from([Band.parse(text) for text in ("== 1", "!= 0", "<= 0.5", "> 3", "between 1 and 2", ">= 1e30", "< -4")])


def made(shown: list[float | None], band: Band, *, every: int = 10**8, start: int = 0) -> Plot:
    points = tuple(
        build.Point(
            tick=start + index * every,
            start=start + index * every,
            end=start + index * every + 10**6,
            value=value,
            state=band.assess(value),
        )
        for index, value in enumerate(shown)
    )
    return Plot(indicator="i", query="q", band=band, points=points)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(values, max_size=40),
    bands,
    st.lists(st.tuples(st.integers(-(10**10), 10**11), st.integers(0, 10**11), st.none() | st.integers(0, 10**11)), max_size=2),
)
def test_any_data_gives_a_drawing_without_a_broken_number(
    shown: list[float | None], band: Band, spans: list[tuple[int, int, int | None]]
) -> None:
    """Nothing, one value, equal values, NaN, infinities and instants off the axis are all drawn as finite numbers."""
    marks = [
        Mark(
            name="m",
            verdict="fail",
            acted=(start, start + lo),
            lo=start + lo,
            hi=None if hi is None else start + lo + hi,
            limit_ns=lo,
            text="t",
            limit="l",
        )
        for start, lo, hi in spans
    ]
    drawing = indicator_plot(made(shown, band), axis=AXIS, marks=marks, windows=[(0, 10**12)])
    root = ET.fromstring(str(drawing))
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in {"x", "y", "x1", "x2", "y1", "y2", "width", "height"}:
                number = float(value.removesuffix("%"))
                assert math.isfinite(number)
                assert not (name in {"width", "height"} and number < 0)
            assert name != "d" or not re.search("nan|inf", value)


def test_the_drawing_says_in_words_what_it_shows() -> None:
    """Bad and unknown stretches are named with their times."""
    plot = made([1, 1, 0, 0, None, 1], Band.parse("== 1"), every=10**9)
    assert in_words(plot, axis=AXIS) == ("i, good in the band == 1: bad from 0 s to +2 s; unknown from +2 s to +3 s.")
    assert "no data" in in_words(made([], Band.parse("== 1")), axis=AXIS)


def test_no_data_is_written_into_the_drawing() -> None:
    """An empty plot says so instead of looking good."""
    assert "no data in this time" in str(indicator_plot(made([], Band.parse("== 1")), axis=AXIS))
    assert "ribbon good" not in str(indicator_plot(made([], Band.parse("== 1")), axis=AXIS))


def test_very_many_points_stay_a_small_drawing() -> None:
    """Half a million points give at most four a column, and the extremes survive."""
    band = Band.parse("<= 50")
    shown: list[float | None] = [float(index % 7) for index in range(100_000)]
    shown[54_321] = 99.0
    plot = made(shown, band, every=10**5)
    kept = thinned(plot.points, AXIS)
    assert len(kept) <= 4 * (COLUMNS + 1)
    assert max(point.value or 0 for point in kept) == 99.0
    drawing = str(indicator_plot(plot, axis=AXIS))
    assert len(drawing) < 120_000
    assert "ribbon bad" in drawing


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=300), st.integers(10**4, 10**8))
def test_thinning_keeps_every_extreme_of_every_column(shown: list[float], every: int) -> None:
    """In each column the first, lowest, highest and last value stay, so the step line covers the same pixels."""
    plot = made(list(shown), Band.parse("== 1"), every=every)
    kept = thinned(plot.points, AXIS)

    def columns(points: tuple[build.Point, ...]) -> dict[int, tuple[float, float, float, float]]:
        found: dict[int, list[float]] = {}
        for point in points:
            if AXIS.holds(point.tick):
                found.setdefault(int(AXIS.at(point.tick) * COLUMNS / 100), []).append(point.value or 0.0)
        return {column: (several[0], min(several), max(several), several[-1]) for column, several in found.items()}

    assert columns(kept) == columns(plot.points)  # type: ignore[arg-type]  # the builder's points go through unchanged


@given(st.lists(st.sampled_from([1.0, 0.0, None]), max_size=60))
def test_stretches_cover_the_time_without_gap_or_overlap(shown: list[float | None]) -> None:
    """From the first point to the end of the last one, in alternating states."""
    plot = made(list(shown), Band.parse("== 1"))
    found = stretches(plot.points)
    assert all(one.end == other.start and one.state != other.state for one, other in pairwise(found))
    if plot.points:
        assert (found[0].start, found[-1].end) == (plot.points[0].tick, plot.points[-1].end)


def test_a_short_bad_stretch_is_never_hidden() -> None:
    """Bad for one point among very many good ones is still drawn bad; of many short ones the worst state is."""
    plot = made([*[1.0] * 50_000, 0.0, *[1.0] * 50_000], Band.parse("== 1"), every=10**5)
    assert [one.state for one in drawn(stretches(plot.points), AXIS)] == ["good", "bad", "good"]
    flickering = made([1.0, 0.0] * 50_000, Band.parse("== 1"), every=10**5)
    several = drawn(stretches(flickering.points), AXIS)
    assert len(several) <= 2 * COLUMNS + 2
    assert {one.state for one in several} == {"bad"}


def test_a_line_goes_on_to_the_edge_of_a_close_up() -> None:
    """A value speaks until the next point, even where that point lies beyond the axis."""
    plot = made([1.0] * 100, Band.parse("== 1"), every=10**9)
    drawing = str(indicator_plot(plot, axis=TimeAxis(start=5 * 10**8, end=25 * 10**8, zero=0)))
    assert re.search(r'd="M0 [\d.]+H\d+V[\d.]+H\d+V[\d.]+H10000', drawing)


def test_a_gap_breaks_the_line() -> None:
    """Where there is no value there is no line."""
    assert len(steps(made([1, 1, None, 1], Band.parse("== 1")).points)) == 2


@given(st.floats(1e-9, 1e12), st.integers(1, 12))
def test_steps_are_round_and_few(span: float, wanted: int) -> None:
    """A step is 1, 2 or 5 times a power of ten, and gives no more parts than wanted."""
    step = nice_step(span, wanted=wanted)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(mantissa == pytest.approx(factor) for factor in (1, 2, 5))
    assert span / step <= wanted * (1 + 1e-6)
    assert len(nice_ticks(0, span, wanted=wanted)) <= wanted + 1


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8).map(tuple))
def test_every_value_has_its_place_within_the_axis(shown: tuple[float, ...]) -> None:
    """All finite values, the greatest possible too, stand between top and bottom, in their order."""
    axis = value_axis(shown, top=10, bottom=100)
    places = [axis.at(value) for value in sorted(value for value in shown if math.isfinite(value))]
    assert all(10 <= place <= 100 for place in places)
    assert places == sorted(places, reverse=True)


def test_a_fault_that_was_never_undone_is_drawn_to_the_end() -> None:
    """An open window reaches the end of the axis and is called so."""
    record = build.passing().record
    cut = build.record_of([(t, e) for t, e in build.happenings(build.plan(), run="01X000000000") if t < 14])
    axis = TimeAxis(start=build.at(3), end=build.at(14), zero=build.at(8.21))
    assert "never undone" in str(time_line(phase_spans(cut), windows=fault_windows(cut), axis=axis, roles_by_node={}))
    assert "never undone" not in str(time_line(phase_spans(record), windows=fault_windows(record), axis=axis, roles_by_node={}))


def test_an_interval_bar_says_its_numbers_in_words() -> None:
    """Who does not see the bar reads the interval, the limit and the verdict."""
    bar = str(
        interval_bar(
            [(build.measured(1.33, 1.6, limit=5, start=8), "pass"), (build.measured(6, None, limit=5, start=8), "fail")]
        )
    )
    assert 'aria-label="1.33–1.6 s against a limit of 5 s: pass; &gt; 6 s against a limit of 5 s: fail"' in bar

"""Draw the pictures of *convergence time* with the tool's own plot code, from simulated runs whose truth is known.

Takes nothing; gives each picture's text by its place below ``docs``. A scenario runs in a world in virtual time, is judged, and
its indicator is drawn as the report draws it, in the report's colours. Above it stand the truth (the world says it) and the
rounds (the record has them). Equal code gives equal bytes, so ``generate.py --check`` notices a picture that is out of date.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from markupsafe import Markup

from meshkit_chaos.campaign.rehearsal import staged
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record, fault_windows
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.course import course_of
from meshkit_chaos.report.model import PointLike, run_report
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests

S: Final = 10**9
_WIDTH: Final = 900
_LEFT: Final = 64
_RIGHT: Final = 24
_ROW: Final = 26
_HEAD: Final = 2 * _ROW + 10
_FIRST_RULE, _RULE_AFTER = "svg text {", ".rail {"

_ENVIRONMENT: Final = """
version: 1
name: mesh
kind: simulated
members: {count: 3, name: "node-${index}"}
roles: {leader: {http: {url: "http://${member.name}/", path: leader}}}
metrics: {url: "http://${member.name}/metrics", every: EVERY}
"""
_SCENARIO: Final = """
version: 1
indicators:
  one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}
scenarios:
  - id: leader-killed
    title: A killed leader is replaced
    steady_state: {for: 2s, indicators: [one-leader]}
    steps: [{fault: kill, id: kill, target: {role: leader}, hold: 6s}]
    objectives: [{converge: one-leader, within: 3s}]
"""
_ERRORS: Final = """
version: 1
indicators:
  error-rate: {promql: "sum(rate(errors_total[20s]))", good: "<= 0"}
  errors: {promql: errors_total, kind: event}
scenarios:
  - id: errors
    title: Errors end
    steady_state: {for: 5s, indicators: [errors]}
    steps: [{fault: kill, id: kill, target: {names: [node-3]}, hold: 45s}]
    objectives:
      - {stay: error-rate, during: hold, allowed: 99%}
      - {converge: errors, within: 15s}
"""
_BURST: Final = ", ".join(f"{600 + 500 * number}ms: {25 * (number + 1)}" for number in range(19))


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One simulated run and what is drawn of it.

    ``bad``: when the mesh really was out of order, in seconds from the injection, as ``world`` makes it. ``view``: from when to
    when is drawn.
    """

    title: str
    about: str
    world: str
    bad: tuple[tuple[float, float], ...]
    view: tuple[float, float]
    indicators: tuple[str, ...] = ("one-leader",)
    scenario: str = _SCENARIO
    every: str = "200ms"


_PICTURES: Final = {
    "convergence": Picture(
        title="How a convergence time becomes an interval",
        about="A leader is killed and there is none for 1.3 seconds. Rounds of 200 ms see it: the interval begins with the "
        "last bad round, ends with the first good one, and the truth lies inside.",
        world="{leader back after: 1300ms}",
        bad=((0, 1.3),),
        view=(-0.9, 3.6),
    ),
    "relapse": Picture(
        title="The last bad round counts, not the first good one",
        about="After the injection the mesh works on for 0.7 seconds, fails, works again, and fails once more. The interval is "
        "about the end of the second failure.",
        world="{leader back after: 0s, out of order: [{from: 700ms, for: 500ms}, {from: 1900ms, for: 500ms}]}",
        bad=((0.7, 1.2), (1.9, 2.4)),
        view=(-0.9, 4.8),
    ),
    "unknown": Picture(
        title="Rounds that saw nothing widen the interval",
        about="The leader is back after 1.3 seconds, but the metrics are gone from 0.9 to 1.7 seconds. The interval reaches "
        "from the last bad round before the gap to the first good one behind it.",
        world="{leader back after: 1300ms, metrics vanish: {from: 900ms, for: 800ms}}",
        bad=((0, 1.3),),
        view=(-0.9, 3.6),
    ),
    "window": Picture(
        title="A range window shows the past",
        about="Errors happen for nine seconds. Their rate over 20 seconds stays above zero for half a minute. The counter "
        "itself, read by an event indicator, gives an interval that holds the truth.",
        world=f"{{leader back after: 0s, series: {{errors_total: {{good: 0, steps: {{{_BURST}}}}}}}}}",
        bad=((0.6, 9.6),),
        view=(-4.5, 40),
        indicators=("error-rate", "errors"),
        scenario=_ERRORS,
        every="1s",
    ),
}


def _run(picture: Picture) -> tuple[Record, Verdict]:
    environment = load_environment(_ENVIRONMENT.replace("EVERY", picture.every).encode(), path="mesh.yaml")
    assert environment.value is not None, environment.problems
    scenarios = load_scenarios(picture.scenario.encode(), path="scenarios.yaml", environment=environment.value)
    assert scenarios.value is not None, scenarios.problems
    text = f"version: 1\nscenarios: scenarios.yaml\ntests: [{{world: {picture.world}, expect: pass}}]"
    tests = load_tests(text.encode(), path="tests.yaml", scenarios=scenarios.value, environment=environment.value)
    assert tests.value is not None, tests.problems
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        verdict = staged(scenarios.value.scenarios[0], tests.value.tests[0].world, environment.value, folder=folder)
        return read_record(folder), verdict


def _refuse_untrue(picture: Picture, verdict: Verdict) -> None:
    """A picture whose interval does not hold the truth would teach the wrong thing."""
    truth = picture.bad[-1][1] * S
    for finding in verdict.findings:
        if (found := finding.measured) is not None:
            assert found.hi is not None, finding
            assert found.lo <= truth <= found.hi, finding


def drawn(picture: Picture) -> str:
    """One picture as a file of its own."""
    record, verdict = _run(picture)
    _refuse_untrue(picture, verdict)
    whole = run_report(record, verdict)
    plots = tuple(plot for name in picture.indicators for plot in whole.plots if plot.indicator == name)
    zero = fault_windows(record)[0].intended
    axis = TimeAxis(start=zero + round(picture.view[0] * S), end=zero + round(picture.view[1] * S), zero=zero)
    course = course_of(replace(whole, plots=plots), axis=axis)
    parts, y = [_placed(_head(picture, axis, plots[-1].points), y=8, height=_HEAD)], 8.0 + _HEAD
    for view in course.plots:
        height = _height(view.drawing)
        parts += [_caption(f"{view.query}: good is {view.band}", y=y + 14), _placed(view.drawing, y=y + 24, height=height)]
        y += 24 + height + 14
    return _document(picture, parts, height=y)


def _head(picture: Picture, axis: TimeAxis, points: Sequence[PointLike]) -> Markup:
    """The truth as bars, and every round where it was."""
    zero = axis.zero
    bars = [(zero + round(start * S), zero + round(end * S)) for start, end in picture.bad]
    truth = [svg.rect(axis.at(start), axis.at(end) - axis.at(start), y=5, height=9, class_="truth") for start, end in bars]
    rounds = [
        svg.vertical(axis.at(point.end), top=_ROW + 4, bottom=_ROW + 15, class_=f"round {point.state}")
        for point in points
        if axis.holds(point.end)
    ]
    last = f"bad until {picture.bad[-1][1]:g} s"
    label = svg.text(last, x=axis.at(bars[-1][1]), y=14, dx=8, class_="truth-label")
    names = [
        svg.element("text", name, x=0, y=y, dx=-8, text_anchor="end", class_="tick")
        for name, y in (("truth", 14), ("rounds", _ROW + 14))
    ]
    line = svg.horizontal(0, 100, y=9.5, class_="rail")
    return Markup().join((line, *truth, label, *rounds, *names))


def _caption(text: str, *, y: float) -> Markup:
    return svg.element("text", text, x=_LEFT, y=y, class_="caption")


def _placed(inside: Markup, *, y: float, height: float) -> Markup:
    """Percent of what is inside are percent of the room between the margins."""
    return svg.element("svg", inside, x=_LEFT, y=y, width=_WIDTH - _LEFT - _RIGHT, height=height, style="overflow: visible")


def _height(drawing: Markup) -> float:
    return float(str(drawing).split('height="', 1)[1].split('"', 1)[0])


def _document(picture: Picture, parts: list[Markup], *, height: float) -> str:
    pattern = svg.element(
        "pattern",
        svg.element("rect", width=2, height=6, class_="hatching"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    whole = svg.element(
        "svg",
        svg.element("title", picture.title),
        svg.element("desc", picture.about),
        svg.element("style", _style()),
        svg.element("defs", pattern),
        svg.element("rect", width="100%", height="100%", rx=8, class_="sheet"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height:g}",
        width=_WIDTH,
        height=height,
        role="img",
    )
    return str(whole).replace("><", ">\n<") + "\n"


def _style() -> str:
    """The report's own colours and the rules for its drawings, and a few for the rows above them."""
    templates = files("meshkit_chaos.report") / "templates"
    sheet = "".join((templates / name).read_text(encoding="utf-8") for name in ("shared.css", "report.css"))
    colours = sheet[: sheet.index("* { box-sizing")]
    rules = sheet[sheet.index(_FIRST_RULE) : sheet.index(_RULE_AFTER)].splitlines()
    verdicts = [line for line in sheet.splitlines() if line.startswith((".pass {", ".fail {", ".inconclusive {", ".invalid {"))]
    kept = [line for line in rules if line.startswith(("svg text", "text.", ".")) and "width: calc" not in line]
    own = [
        "svg { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }",
        ".sheet { fill: var(--sheet); }",
        ".rail { stroke: var(--faint); stroke-width: 1; }",
        ".truth { fill: var(--ink); }",
        "text.truth-label { font-weight: 600; paint-order: stroke; stroke: var(--sheet); stroke-width: 5px; }",
        "text.caption { font-weight: 600; }",
        ".round { stroke-width: 2.5; }",
        ".round.good { stroke: var(--pass); }",
        ".round.bad { stroke: var(--fail); stroke-width: 5; }",
        ".round.unknown { stroke: var(--soft); stroke-dasharray: 2 2; }",
    ]
    return "\n".join([colours.rstrip(), *verdicts, *kept, *own]) + "\n"


PICTURES: Final[dict[str, Callable[[], str]]] = {
    f"pictures/{name}.svg": (lambda picture=picture: drawn(picture)) for name, picture in _PICTURES.items()
}

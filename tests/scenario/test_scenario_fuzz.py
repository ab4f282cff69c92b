"""Whatever stands in a document, loading gives a value or problems: never a traceback, never both an error and a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshkit_chaos.scenario.load import Loaded, load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests
from meshkit_chaos.scenario.render import github_annotations, render_problems

HERE = Path(__file__).parent
DOCUMENTS = [file.read_bytes() for file in sorted((HERE / "good").glob("*.yaml"))]
ENVIRONMENT = load_environment((HERE / "good" / "everything-environment.yaml").read_bytes(), path="e.yaml").value
SCENARIOS = load_scenarios((HERE / "good" / "everything-scenarios.yaml").read_bytes(), path="s.yaml").value
WORDS = [
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"\n",
    b"  ",
    b"5",
    b"5s",
    b"-1",
    b"x",
    b"null",
    b"&a ",
    b"*a",
    b"!t ",
    b'"',
    b"${",
    b"'",
]


def check(loaded: Loaded[object], data: bytes) -> None:
    errors = [problem for problem in loaded.problems if problem.severity == "error"]
    assert (loaded.value is None) == bool(errors)
    lines = data.count(b"\n") + 1
    assert all(1 <= problem.line <= lines + 1 and problem.column >= 1 and problem.message for problem in loaded.problems)
    assert list(loaded.problems) == sorted(loaded.problems, key=lambda problem: (problem.line, problem.column, problem.rule))
    assert github_annotations(loaded.problems).count("\n") == len(loaded.problems)
    assert render_problems(loaded.problems, {"x.yaml": data}).isprintable() or loaded.problems


def load_both(data: bytes) -> None:
    check(load_environment(data, path="x.yaml"), data)
    check(load_scenarios(data, path="x.yaml"), data)
    check(load_scenarios(data, path="x.yaml", environment=ENVIRONMENT), data)
    check(load_tests(data, path="x.yaml", scenarios=SCENARIOS, environment=ENVIRONMENT), data)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good document with pieces cut out, doubled, moved or replaced."""
    data = draw(st.sampled_from(DOCUMENTS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(st.sampled_from([b"", data[start:end] * 2, *WORDS]))
        data = data[:start] + piece + data[end:]
    return data


def drawn(most: int) -> settings:
    return settings(deadline=None, max_examples=most, suppress_health_check=[HealthCheck.too_slow])


@drawn(80)
@given(damaged())
def test_damaged_documents_give_problems_not_tracebacks(data: bytes) -> None:
    """A good document that was damaged anywhere loads, or is refused with places."""
    load_both(data)


@pytest.mark.slow
@drawn(500)
@given(damaged())
def test_many_damaged_documents_give_problems_not_tracebacks(data: bytes) -> None:
    """The same in more draws."""
    load_both(data)


KEYS = """
    version scenarios indicators id title steps objectives fault target hold parallel wait converge stay within steady_state for
    promql good probe http url members count name kind command a x defaults prerequisites check with names share metrics roles
    tests world expect series steps bad leader others rises by scenario record verdict objective probes from after at member
"""
LEAVES = ["x", "5s", "5%", "== 1", "kill", "a", "", "up", "sum(up)", "${member.name}", "1e999s"]
JSONISH = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False, width=16) | st.sampled_from(LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=6),
    max_leaves=30,
)


def _yaml(value: object) -> bytes:
    return json.dumps(value).encode()


def load_structures(first: object, second: object, third: object) -> None:
    load_both(
        _yaml(
            {"version": 1, "scenarios": [first, second], "indicators": {"a": third}, "members": first, "roles": {"a": second}}
        )
    )
    load_both(_yaml({"version": 1, "scenarios": "x", "series": third, "tests": [{"world": first, "expect": second}, third]}))
    load_both(_yaml({"version": 1, "name": "x", "kind": "process", "members": [second], "command": first, "metrics": third}))


@drawn(60)
@given(JSONISH, JSONISH, JSONISH)
def test_any_structure_gives_problems_not_tracebacks(first: object, second: object, third: object) -> None:
    """The keys of the grammar in any order and nesting, with any values, never give a traceback."""
    load_structures(first, second, third)


@pytest.mark.slow
@drawn(500)
@given(JSONISH, JSONISH, JSONISH)
def test_many_structures_give_problems_not_tracebacks(first: object, second: object, third: object) -> None:
    """The same in more draws."""
    load_structures(first, second, third)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_give_problems_not_tracebacks(data: bytes) -> None:
    """Bytes of any kind never give a traceback."""
    load_both(data)

"""Problems as text: nothing in a document can change what a terminal or a CI log shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.errors import Problem
from meshkit_chaos.scenario.render import github_annotations, render_problems

TEXTS = st.text(max_size=40)
PROBLEMS = st.builds(
    Problem,
    path=TEXTS,
    line=st.integers(0, 5),
    column=st.integers(0, 200),
    rule=st.just("MC101"),
    message=TEXTS,
    hint=TEXTS,
    severity=st.sampled_from(["error", "warning"]),
)


def problem(**more: object) -> Problem:
    fields = {"path": "a.yaml", "line": 1, "column": 4, "rule": "MC101", "message": "wrong", **more}
    return Problem(**fields)  # type: ignore[arg-type]  # the test's own fields


def test_the_caret_stands_below_the_column() -> None:
    """The line is shown with a caret below the column and the hint after it."""
    text = render_problems([problem(hint="right")], {"a.yaml": "a: é😀\n".encode()})
    assert text == "a.yaml:1:4: error: wrong [MC101]\n     1 | a: é😀\n       |    ^\n  hint: right\n"


def test_a_problem_of_the_whole_file_has_no_line() -> None:
    """Without a line, or without the source, only the message is shown."""
    assert render_problems([problem(line=0)], {"a.yaml": b"a: 1"}) == "a.yaml: error: wrong [MC101]\n"
    assert render_problems([problem()], {}) == "a.yaml:1:4: error: wrong [MC101]\n"


def test_a_long_line_is_cut_around_the_column() -> None:
    """Of a very long line only the surroundings of the column are shown, and the caret still fits."""
    text = render_problems([problem(column=5_001)], {"a.yaml": b"x" * 5_000 + b"HERE" + b"y" * 5_000})
    _, line, caret = text.splitlines()
    assert len(line) < 200
    assert line[caret.index("^") :].startswith("HERE")


def test_annotations_are_workflow_commands() -> None:
    """A problem becomes one command with its place, escaped as GitHub asks."""
    told = github_annotations([problem(path="a,b:c.yaml", message="50% of\nit", hint="x", severity="warning")])
    assert told == "::warning file=a%2Cb%3Ac.yaml,line=1,col=4::50%25 of%0Ait (hint: x) [MC101]\n"


@given(st.lists(PROBLEMS, max_size=5))
def test_no_message_holds_a_second_command(problems: list[Problem]) -> None:
    """However strange the texts are, there is one line a problem, and it starts with its own severity (trap 29)."""
    lines = github_annotations(problems).split("\n")
    assert len(lines) == len(problems) + 1
    assert all(line.startswith(f"::{found.severity} file=") for line, found in zip(lines, problems, strict=False))
    assert "\r" not in github_annotations(problems)


@given(PROBLEMS, st.binary(max_size=80))
def test_no_source_reaches_the_terminal_unescaped(found: Problem, source: bytes) -> None:
    """Control characters of a document or a message are never written as they are."""
    text = render_problems([found], {found.path: source})
    assert all(character == "\n" or character.isprintable() for character in text)

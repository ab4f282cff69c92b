"""Additions as text: what stood in the document stays to the byte, and what was added is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.scenario.insertion import appended, keys_at, quoted, spaced

DEMO = (Path(__file__).parents[2] / "src" / "meshkit_chaos" / "demo" / "chaos-scenarios.yaml").read_text("utf-8")
BLOCK = "- id: new\n  title: x\n"


def added_lines(before: str, after: str) -> list[str]:
    """The lines that came; all others must be there in their order."""
    rest = iter(after.splitlines())
    new: list[str] = []
    for line in before.splitlines():
        for found in rest:
            if found == line:
                break
            new.append(found)
        else:
            raise AssertionError(f"{line!r} is gone")
    return [*new, *rest]


def test_a_scenario_goes_to_the_end_of_the_demo() -> None:
    """The demo with one more scenario differs by that scenario only, indented as its neighbours."""
    after = appended(DEMO, "scenarios", "\n" + BLOCK)
    assert added_lines(DEMO, after) == ["", "  - id: new", "    title: x"]
    assert after.startswith(DEMO.rstrip("\n"))
    assert yaml.safe_load(after)["scenarios"][-1] == {"id": "new", "title": "x"}


CASES = {
    "items without indentation": ("scenarios:\n- id: a\n  b: 1\n", "scenarios:\n- id: a\n  b: 1\n- id: new\n  title: x\n"),
    "a key behind, with its comment": (
        "scenarios:\n  - id: a\n\n# about defaults\ndefaults: {owner: x}\n",
        "scenarios:\n  - id: a\n  - id: new\n    title: x\n\n# about defaults\ndefaults: {owner: x}\n",
    ),
    "no line feed at the end": ("scenarios:\n  - id: a", "scenarios:\n  - id: a\n  - id: new\n    title: x\n"),
    "blank lines at the end": ("scenarios:\n  - id: a\n\n\n", "scenarios:\n  - id: a\n  - id: new\n    title: x\n\n\n"),
    "a block text at the end": (
        "scenarios:\n  - id: a\n    d: |\n      one\n\n      two\n",
        "scenarios:\n  - id: a\n    d: |\n      one\n\n      two\n  - id: new\n    title: x\n",
    ),
    "an item in brackets": ("scenarios:\n  - {id: a}\n", "scenarios:\n  - {id: a}\n  - id: new\n    title: x\n"),
    "an end mark": ("scenarios:\n  - id: a\n...\n", "scenarios:\n  - id: a\n  - id: new\n    title: x\n...\n"),
    "a comment after the last item": (
        "scenarios:\n  - id: a  # one\n  # two\n",
        "scenarios:\n  - id: a  # one\n  # two\n  - id: new\n    title: x\n",
    ),
    "wide dashes": ("scenarios:\n    -   id: a\n", "scenarios:\n    -   id: a\n    - id: new\n      title: x\n"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_block_finds_its_place(case: str) -> None:
    """Whatever surrounds the list, the block comes behind its last item and before what follows."""
    before, after = CASES[case]
    assert appended(before, "scenarios", BLOCK) == after
    assert yaml.safe_load(after)["scenarios"][-1] == {"id": "new", "title": "x"}


def test_line_ends_stay() -> None:
    """A document with carriage returns gets them for the new lines too."""
    assert appended("scenarios:\r\n  - id: a\r\n", "scenarios", BLOCK).count("\r\n") == 4


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("scenarios: [{id: a}]\n", "written in brackets"),
        ("scenarios:\n  [{id: a}]\n", "written in brackets"),
        ("scenarios: []\n", "has no 'scenarios'"),
        ("other: 1\n", "has no 'scenarios'"),
    ],
)
def test_what_has_no_lines_to_add_to_is_refused(written: str, said: str) -> None:
    """A list in brackets, an empty one or none is refused in words."""
    with pytest.raises(ValueError, match=said):
        appended(written, "scenarios", BLOCK)


def test_an_indicator_joins_the_mapping() -> None:
    """A key is appended to a mapping with the indentation of the others."""
    after = appended(DEMO, "indicators", 'lag:\n  promql: max(lag)\n  good: "<= 1"\n')
    assert added_lines(DEMO, after) == ["  lag:", "    promql: max(lag)", '    good: "<= 1"']
    assert list(yaml.safe_load(after)["indicators"]) == ["one-leader", "writes", "lag"]


def test_keys_and_spacing_are_seen() -> None:
    """The keys of a mapping at a place, and whether items are kept apart by blank lines."""
    assert keys_at(DEMO, "indicators") == ("one-leader", "writes")
    assert "steady_state" in keys_at(DEMO, "defaults")
    assert keys_at(DEMO, "nothing", "there") == ()
    assert spaced(DEMO, "scenarios")
    assert not spaced("tests:\n  - a: 1\n  - b: 2\n", "tests")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40))
def test_a_quoted_text_is_read_back(written: str) -> None:
    """Whatever stands in a text of one line, YAML gives it back as a text."""
    if "\ufeff" not in written and written.isprintable():
        assert yaml.safe_load(f"- {quoted(written)}\n") == [written]
        assert yaml.safe_load(f"a: {{b: {quoted(written)}, c: 1}}\n")["a"]["b"] == written

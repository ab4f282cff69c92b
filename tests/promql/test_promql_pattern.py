"""Regular expressions of matchers: RE2's syntax, whole-value matching, linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshkit_chaos.promql.pattern import Pattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("node-1", "node-1", "node-10"),
        ("a|bc", "bc", "abc"),
        ("", "", "a"),
        (".*", "a\nb", None),
        ("(?-s).*", "ab", "a\nb"),
        (".+", "x", ""),
        ("a{2,3}", "aaa", "aaaa"),
        ("a{2}b{2,}", "aabbbb", "aab"),
        ("a{,2}", "a{,2}", "aa"),
        (r"\d+\.\w\s", "10.x ", "10.x\v"),
        (r"[^\d]", "x", "5"),
        ("[a-c-]+", "a-c", "d"),
        ("[]a]", "]", "b"),
        ("[[:alpha:][:digit:]]+", "a1", "a-1"),
        ("[[:^space:]]", "a", " "),
        ("(?i)abc", "aBC", "abd"),
        ("a(?i:b)c", "aBc", "aBC"),
        (r"\Aa\z", "a", "ba"),
        (r"a\bb|a\b-b", "a-b", "ab"),
        (r"\x41\x{1F600}\101", "A😀A", "AA"),
        (r"a\.b\/c\-", "a.b/c-", "axb/c-"),
        ("(?m)a$\n^b", "a\nb", "ab"),
        ("é+", "éé", "e"),
        ("(a*)*", "aaa", "b"),
        ("(?:)*", "", "a"),
    ],
)
def test_whole_values_match(pattern: str, yes: str, no: str | None) -> None:
    """A pattern matches a whole value or nothing of it."""
    compiled = Pattern.compile(pattern)
    assert compiled.matches(yes)
    assert no is None or not compiled.matches(no)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)", "lookaround"),
        ("(?!a)", "lookaround"),
        ("(?<=a)b", "lookaround"),
        ("(?<!a)b", "lookaround"),
        (r"(a)\1", "backreference"),
        ("(?P<n>a)(?P=n)", "backreference"),
        ("(?>a)", "does not have"),
        ("a*+", "possessive"),
        ("a**", "repeat of a repeat"),
        ("*a", "nothing to repeat"),
        ("(a", "without its"),
        ("a)", "without its"),
        ("[a", "ends too early"),
        ("[b-a]", "range"),
        ("a{1001}", "at most 1000"),
        (r"\pL", "Unicode class"),
        (r"\Qa.b\E", "quotation"),
        (r"\Z", "escape"),
        ("(?x)a", "does not have"),
        ("[[:foo:]]", "unknown character class"),
        ("\\", "ends too early"),
        (r"\x{110000}", "bad"),
        ("(?P<1>a)", "group name"),
    ],
)
def test_refused_patterns(pattern: str, said: str) -> None:
    """What RE2 does not have is refused by name."""
    with pytest.raises(PatternError, match=said):
        Pattern.compile(pattern)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)(.*)(.*)(.*)(.*)x", "((a*)*)*b", "(a?){30}a{30}c"])
def test_catastrophic_patterns_are_linear(pattern: str) -> None:
    """Patterns that take a backtracking engine years are answered at once."""
    assert not Pattern.compile(pattern).matches("a" * 300)


def test_templates_are_filled_as_go_fills_them() -> None:
    """``$1x`` names a group called 1x; ``${1}x`` does not; ``$$`` is a dollar; an unknown group is empty."""
    pattern = Pattern.compile("(?P<word>[a-z]+)-(.*)")
    groups = pattern.groups("ab-7")
    assert groups == ("ab-7", "ab", "7")
    for template, filled in {
        "$1": "ab",
        "$1x": "",
        "${1}x": "abx",
        "$word/$2": "ab/7",
        "${word}s": "abs",
        "$9": "",
        "$$1": "$1",
        "$0": "ab-7",
        "$": "$",
        "${": "${",
        "${x-}": "${x-}",
        "a$-": "a$-",
    }.items():
        assert pattern.expand(template, groups) == filled, template


_atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", "^", "$", r"\b"])
_patterns = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        inner.map(lambda body: f"(?:{body})*"),
        inner.map(lambda body: f"({body})?"),
        inner.map(lambda body: f"(?:{body})+?"),
        inner.map(lambda body: f"(?:{body}){{1,2}}"),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(_patterns, st.text(alphabet="ab1 \n", max_size=6))
@example("(?:^)*", "")
def test_matches_agree_with_another_engine(pattern: str, value: str) -> None:
    """On the syntax that both share, a match is a match for Python's engine too."""
    theirs = re.compile(pattern.replace("$", r"\Z"), re.DOTALL | re.ASCII).fullmatch(value)
    assert Pattern.compile(pattern).matches(value) == (theirs is not None)


@settings(deadline=None)
@given(st.text(alphabet="ab()[]{}|*+?\\^$.:=!<>Pidx1,-", max_size=20), st.text(max_size=8))
def test_any_pattern_is_matched_or_refused(pattern: str, value: str) -> None:
    """No pattern makes the engine raise anything but PatternError."""
    try:
        compiled = Pattern.compile(pattern)
    except PatternError:
        return
    assert compiled.matches(value) in {True, False}

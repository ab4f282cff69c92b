"""Read RE2 syntax into a small tree. Refuses with PatternError; knows nothing of matching."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace

from meshkit_chaos.promql.pattern_tree import (
    ASSERTIONS,
    CONTROL,
    LAST,
    PERL,
    POSIX,
    Assertion,
    Chars,
    Choice,
    Group,
    PatternError,
    Range,
    Repeat,
    Sequence,
    Tree,
    negated,
)

_LONGEST = 2_000
_DEEPEST = 40
_MOST_REPEATS = 1_000  # RE2's own limit


@dataclass(frozen=True, slots=True)
class _Flags:
    fold: bool = False
    multiline: bool = False
    dot_all: bool = True
    lazy: bool = False


def read(text: str) -> tuple[Tree, tuple[str, ...]]:
    """Give the tree and the groups' names (empty for a group without one). Raises PatternError."""
    if len(text) > _LONGEST:
        raise PatternError(f"a pattern of {len(text)} characters is too long; at most {_LONGEST}")
    reader = _Reader(text)
    tree = reader.choice(_Flags(), depth=0)
    if reader.at < len(text):
        raise PatternError(f"{text!r} has a ')' without its '('")
    return tree, tuple(reader.names)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.names: list[str] = []

    def refuse(self, what: str) -> PatternError:
        return PatternError(f"{self.text!r} has {what}, which RE2 does not have")

    def looking_at(self, expected: str) -> bool:
        return self.text.startswith(expected, self.at)

    def take(self, expected: str) -> bool:
        found = self.looking_at(expected)
        self.at += len(expected) if found else 0
        return found

    def next(self) -> str:
        if self.at >= len(self.text):
            raise PatternError(f"{self.text!r} ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def choice(self, flags: _Flags, *, depth: int) -> Tree:
        if depth > _DEEPEST:
            raise PatternError(f"the pattern nests deeper than {_DEEPEST} groups")
        parts: list[Tree] = []
        sequence: list[Tree] = []
        while self.at < len(self.text) and not self.looking_at(")"):
            if self.take("|"):
                parts.append(Sequence(tuple(sequence)))
                sequence = []
                continue
            if (changed := self.inline_flags(flags)) is not None:
                flags = changed
                continue
            sequence.append(self.repeated(self.atom(flags, depth=depth), flags))
        parts.append(Sequence(tuple(sequence)))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def inline_flags(self, flags: _Flags) -> _Flags | None:
        """Read ``(?i)``: flags for the rest of the group. Leaves everything else untouched."""
        start = self.at
        if self.take("(?"):
            end = next((i for i in range(self.at, len(self.text)) if self.text[i] not in "imsU-"), len(self.text))
            if end > self.at and self.text.startswith(")", end):
                flags = self.flags(self.text[self.at : end], flags)
                self.at = end + 1
                return flags
        self.at = start
        return None

    def flags(self, letters: str, flags: _Flags) -> _Flags:
        names = {"i": "fold", "m": "multiline", "s": "dot_all", "U": "lazy"}
        on = True
        for letter in letters:
            if letter == "-":
                on = False
            else:
                flags = replace(flags, **{names[letter]: on})
        return flags

    def repeated(self, body: Tree, flags: _Flags) -> Tree:
        bounds = self.bounds()
        if bounds is None:
            return body
        lazy = self.take("?") != flags.lazy
        if self.looking_at("+"):
            raise self.refuse("a possessive or doubled repeat")
        if self.bounds() is not None:
            raise self.refuse("a repeat of a repeat without a group")
        return Repeat(body, *bounds, greedy=not lazy)

    def bounds(self) -> tuple[int, int | None] | None:
        for mark, found in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(mark):
                return found
        close = self.text.find("}", self.at)
        if not self.looking_at("{") or close < 0:
            return None
        low, comma, high = self.text[self.at + 1 : close].partition(",")
        if not low.isdecimal() or not low.isascii() or (high and not (high.isdecimal() and high.isascii())):
            return None  # RE2 reads such a brace as itself
        least, most = int(low[:9]), (int(high[:9]) if high else None) if comma else int(low[:9])
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise PatternError(f"{self.text!r} repeats {{{low}{comma}{high}}}; expected at most {_MOST_REPEATS}, in order")
        self.at = close + 1
        return least, most

    def atom(self, flags: _Flags, *, depth: int) -> Tree:
        char = self.next()
        match char:
            case "(":
                return self.group(flags, depth=depth)
            case "[":
                return Chars(self.char_class(), flags.fold)
            case ".":
                return Chars(((0, LAST),) if flags.dot_all else negated(((10, 10),)))
            case "^":
                return Assertion("begin-line" if flags.multiline else "begin-text")
            case "$":
                return Assertion("end-line" if flags.multiline else "end-text")
            case "*" | "+" | "?":
                raise PatternError(f"{self.text!r} has a {char!r} with nothing to repeat")
            case "\\":
                return self.escape(flags)
            case _:
                return Chars(((ord(char), ord(char)),), flags.fold)

    def group(self, flags: _Flags, *, depth: int) -> Tree:
        index = None
        for what, marks in (("lookaround", ("?=", "?!", "?<=", "?<!")), ("a backreference", ("?P=",))):
            if any(self.looking_at(mark) for mark in marks):
                raise self.refuse(what)
        if self.take("?P<") or self.take("?<"):
            name, close, _ = self.text[self.at :].partition(">")
            if not close or not name.isidentifier() or not name.isascii() or name in self.names:
                raise PatternError(f"{self.text!r} has a bad or repeated group name {name!r}")
            self.at += len(name) + 1
            self.names.append(name)
            index = len(self.names)
        elif self.take("?"):
            letters, close, _ = self.text[self.at :].partition(":")
            if not close or set(letters) - set("imsU-"):
                raise self.refuse(f"the group '(?{letters[:1]}'")
            self.at += len(letters) + 1
            flags = self.flags(letters, flags)
        else:
            self.names.append("")
            index = len(self.names)
        body = self.choice(flags, depth=depth + 1)
        if not self.take(")"):
            raise PatternError(f"{self.text!r} has a '(' without its ')'")
        return body if index is None else Group(index, body)

    def escape(self, flags: _Flags) -> Tree:
        char = self.next()
        if char in ASSERTIONS:
            return Assertion(ASSERTIONS[char])
        if char == "Q":
            raise PatternError(f"{self.text!r} has a quotation \\Q, which is not supported; escape the characters one by one")
        if (ranges := self.perl_class(char)) is not None:
            return Chars(ranges)
        code = self.code(char)
        return Chars(((code, code),), flags.fold)

    def perl_class(self, char: str) -> tuple[Range, ...] | None:
        if char in "pP":
            raise PatternError(f"{self.text!r} has a Unicode class \\{char}, which is not supported; spell the characters out")
        if char.lower() in PERL:
            ranges = PERL[char.lower()]
            return ranges if char.islower() else negated(ranges)
        return None

    def code(self, char: str) -> int:
        """The character that an escape stands for."""
        if char in CONTROL:
            return CONTROL[char]
        if char == "x":
            return self.hexadecimal()
        if char in "01234567":
            digits = char
            while len(digits) < 3 and self.at < len(self.text) and self.text[self.at] in "01234567":
                digits += self.next()
            if char != "0" and len(digits) == 1:
                raise self.refuse(f"a backreference \\{char}")
            return int(digits, 8)
        if char in "89":
            raise self.refuse(f"a backreference \\{char}")
        if char.isascii() and char in string.punctuation:
            return ord(char)
        raise self.refuse(f"the escape \\{char}")

    def hexadecimal(self) -> int:
        if self.take("{"):
            digits, close, _ = self.text[self.at :].partition("}")
            self.at += len(digits) + 1
        else:
            digits, close = self.text[self.at : self.at + 2], "}"
            self.at += 2
        wrong = not close or not digits or len(digits) > 6 or set(digits) - set(string.hexdigits)
        if wrong or (close and len(digits) < 2 and self.text[self.at - 1] != "}") or int(digits, 16) > LAST:
            raise PatternError(f"{self.text!r} has a bad \\x escape; expected \\x7f or \\x{{10ffff}}")
        return int(digits, 16)

    def char_class(self) -> tuple[Range, ...]:
        negative = self.take("^")
        ranges: list[Range] = []
        first = True
        while first or not self.looking_at("]"):
            first = False
            ranges.extend(self.class_item())
        self.at += 1
        return negated(tuple(ranges)) if negative else tuple(ranges)

    def class_item(self) -> tuple[Range, ...]:
        if self.looking_at("[:") and (end := self.text.find(":]", self.at)) > 0:
            name = self.text[self.at + 2 : end]
            if name.removeprefix("^") not in POSIX:
                raise PatternError(f"{self.text!r} has an unknown character class [:{name}:]")
            self.at = end + 2
            ranges = POSIX[name.removeprefix("^")]
            return negated(ranges) if name.startswith("^") else ranges
        low = self.class_char()
        if isinstance(low, tuple):
            return low
        if self.looking_at("-") and not self.looking_at("-]"):
            self.at += 1
            high = self.class_char()
            if isinstance(high, tuple) or high < low:
                raise PatternError(f"{self.text!r} has a bad character range")
            return ((low, high),)
        return ((low, low),)

    def class_char(self) -> int | tuple[Range, ...]:
        char = self.next()
        if char != "\\":
            return ord(char)
        char = self.next()
        ranges = self.perl_class(char)
        return self.code(char) if ranges is None else ranges

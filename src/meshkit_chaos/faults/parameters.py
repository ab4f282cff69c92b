"""A fault's parameters: their kinds, units and limits, and the one place where a written value is read.

Takes a value as a document has it (``100ms``, ``5%``, ``10mbit``, a number, a word); gives a number in the parameter's own
unit, or refuses (ValueError) with what was expected. Used by lint, by the faults themselves, and by ramps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from meshkit_chaos.slo import Duration, Ratio

ParameterValue = str | float | bool
ParameterType = Literal["duration", "ratio", "integer", "number", "rate", "choice"]

_RATE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(bit|kbit|mbit|gbit)\s*")
_RATE_UNITS: Final = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_WRITTEN: Final = {
    "duration": "a duration such as 5s",
    "ratio": "a share such as 5%",
    "rate": "a rate such as 10mbit (bits a second)",
    "integer": "a whole number",
    "number": "a number",
}


def parse_rate(text: str) -> int:
    """Read ``512kbit``, ``10mbit``, ``1gbit`` as bits a second. Raises ValueError."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a rate; expected bits a second such as 512kbit, 10mbit or 1gbit")
    return round(float(found[1]) * _RATE_UNITS[found[2]])


def rate_text(bits: float) -> str:
    """Write bits a second in the largest unit that needs no fraction."""
    whole = round(bits)
    for unit, size in reversed(_RATE_UNITS.items()):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}bit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a fault.

    Its type says how it is written: ``duration`` (``5s``), ``ratio`` (``5%``), ``rate`` (``10mbit``, bits a second),
    ``integer``, ``number``, or ``choice`` (one of ``choices``). Limits are inclusive, in seconds, 0 to 1, or bits a second.
    Without a default it must be given. ``gentler``: whether less or more of it does less harm.
    """

    name: str
    type: ParameterType
    doc: str
    default: ParameterValue | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    gentler: Literal["less", "more"] = "less"

    def number(self, value: ParameterValue) -> float:
        """The value as one number: seconds, 0 to 1, bits a second, or as it is; of a choice, its place. Raises ValueError."""
        if self.type == "choice":
            if value not in self.choices:
                raise ValueError(f"expected one of {', '.join(self.choices)}, got {_told(value)}")
            return float(self.choices.index(str(value)))
        if isinstance(value, str):
            match self.type:
                case "duration":
                    return Duration.parse(value).seconds
                case "ratio":
                    return Ratio.parse(value).value
                case "rate":
                    return float(parse_rate(value))
        if isinstance(value, str | bool) or self.type in {"duration", "ratio", "rate"}:
            raise ValueError(f"expected {_WRITTEN[self.type]}, got {_told(value)}")
        if self.type == "integer" and value != int(value):
            raise ValueError(f"expected {_WRITTEN[self.type]}, got {_told(value)}")
        return value

    def reason_against(self, value: ParameterValue) -> str | None:
        """Why the value cannot be, in words; None where it can."""
        try:
            number = self.number(value)
        except ValueError as error:
            return str(error)
        if self.minimum is not None and number < self.minimum:
            return f"{_shown(value)} is below {self.written(self.minimum)}"
        if self.maximum is not None and number > self.maximum:
            return f"{_shown(value)} is above {self.written(self.maximum)}"
        return None

    def written(self, number: float) -> str:
        """A number in the parameter's unit as a document would have it."""
        match self.type:
            case "duration":
                return str(Duration.of_seconds(number))
            case "ratio":
                return str(Ratio(number))
            case "rate":
                return rate_text(number)
            case "choice":
                return self.choices[int(number)]
            case _:
                return f"{number:g}"

    def between(self, first: ParameterValue, last: ParameterValue, share: float) -> ParameterValue:
        """The value so far (0 to 1) on the straight way from one value to another, as a document would have it."""
        number = self.number(first) + (self.number(last) - self.number(first)) * share
        if self.type == "integer":
            return float(round(number))
        if self.type == "duration":
            number = round(number, 6)  # whole microseconds: what a network can do, and people can read
        return number if self.type == "number" else self.written(number)

    @property
    def limits(self) -> str:
        """The limits as people read them; empty where there are none."""
        if self.choices:
            return ", ".join(self.choices)
        low = self.written(self.minimum) if self.minimum is not None else ""
        high = self.written(self.maximum) if self.maximum is not None else ""
        if low and high:
            return f"{low} to {high}"
        return f"{low} or more" if low else f"at most {high}" if high else ""


def _shown(value: ParameterValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _told(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    return repr(value) if isinstance(value, str) else f"the number {value:g}"

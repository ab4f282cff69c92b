"""One part of a selection, for CI jobs that share the work: ``I/N`` means the I-th of N parts.

Takes the selected scenarios in file order; gives every N-th of them, beginning with the I-th: so each scenario is in exactly
one part, and parts differ by one scenario at most. Refuses more parts than scenarios: an empty part would be a job that
judged nothing, and it must neither fail the night nor look like evidence. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.errors import UsageError
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.scenario.model import Scenario

_FORM: Final = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})")


@dataclass(frozen=True, slots=True)
class Shard:
    """``number`` counts from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``I/N``. Raises UsageError."""
        found = _FORM.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise UsageError(
                f"--shard {text!r} is not I/N with I from 1 to N", hint="such as --shard 1/2 in one job and 2/2 in the other"
            )
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def part(self, scenarios: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
        """This part of the scenarios. Raises UsageError where there are fewer scenarios than parts."""
        if self.of > len(scenarios):
            raise UsageError(
                f"--shard {self}: the selection has only {len(scenarios)}, so a part would be empty",
                hint=f"use at most {counted(len(scenarios), 'shard')} in every job of the matrix",
            )
        return scenarios[self.number - 1 :: self.of]

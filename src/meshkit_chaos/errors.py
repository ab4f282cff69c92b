"""What can go wrong, by who must act.

::

    ChaosError
    ├─ UsageError           operator: the command line is wrong                              exit 4
    ├─ DocumentError        author:   a file must be edited (all problems, file:line:column)  exit 4
    ├─ CannotRun            operator: the scenario is fine but cannot run here               exit 2
    │  └─ EnvironmentBusy   operator: another run holds the environment                      exit 2
    ├─ EnvironmentProblem   target:   a member or its driver misbehaved; the run rolls back  exit 2
    ├─ EnvironmentDirty     operator: something is still broken; `recover` must run first    exit 3
    ├─ JournalDamaged       operator: a record cannot be read as it stands                   exit 2
    ├─ JournalUnwritable    operator: a record cannot be written (disk full, read-only)      exit 2
    └─ HistoryProblem       operator: a history cannot be read, written, or believed         exit 2

Anything else that escapes is our own error: exit 5. Absence of data is never an exception; it is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a document: where it is, what is there, what was expected, and a hint.

    ``line`` and ``column`` count from 1; both are 0 where the whole file is meant.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def __str__(self) -> str:
        hint = f" (hint: {self.hint})" if self.hint else ""
        return f"{self.place}: {self.severity}: {self.message} [{self.rule}]{hint}"


class ChaosError(Exception):
    """The root. ``hint`` says what to do next; ``exit_code`` is what the command ends with."""

    exit_code: ClassVar[int] = 5
    who: ClassVar[str] = "us"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ChaosError):
    exit_code = 4
    who = "operator"


class DocumentError(ChaosError):
    """Carries every problem found, not only the first."""

    exit_code = 4
    who = "author"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class CannotRun(ChaosError):
    exit_code = 2
    who = "operator"


class EnvironmentBusy(CannotRun):
    pass


class EnvironmentProblem(ChaosError):
    exit_code = 2
    who = "target"


class EnvironmentDirty(ChaosError):
    exit_code = 3
    who = "operator"


class JournalDamaged(ChaosError):
    exit_code = 2
    who = "operator"


class JournalUnwritable(ChaosError):
    exit_code = 2
    who = "operator"


class HistoryProblem(ChaosError):
    exit_code = 2
    who = "operator"

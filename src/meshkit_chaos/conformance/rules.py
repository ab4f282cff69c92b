"""All rules as a list, and how one of them is held against a case."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from meshkit_chaos.conformance import environments as of_environments
from meshkit_chaos.conformance import fault_kinds as of_faults
from meshkit_chaos.conformance.case import Case, Check

_Work = Callable[[Case], Coroutine[Any, Any, None]]
_ENVIRONMENTS: Final[tuple[_Work, ...]] = (
    of_environments.members_are_seen,
    of_environments.levers_act_and_are_undone,
    of_environments.undoing_nothing_does_nothing,
    of_environments.unknown_members_are_refused,
    of_environments.missing_levers_are_refused,
    of_environments.teardown_leaves_nothing,
)
_FAULTS: Final[tuple[_Work, ...]] = (
    of_faults.it_does_what_it_declares,
    of_faults.it_is_seen_to_bite,
    of_faults.twice_is_once,
    of_faults.half_of_it_is_undone_too,
)


def checks(case: Case) -> tuple[Check, ...]:
    """The rules for the case's fault, or where it names none for its environment."""
    about = _ENVIRONMENTS if case.fault is None else _FAULTS
    if case.elsewhere is not None:
        about = (*about, of_environments.others_can_undo if case.fault is None else of_faults.others_can_undo_it)
    return tuple(Check(work.__name__.replace("_", " "), work) for work in about)


def hold(check: Check, case: Case) -> None:
    """Check one rule. Raises Broken, and whatever the environment raises."""
    case.run(check.work(case))

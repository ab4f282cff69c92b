"""A verdict as the exit code of a command, by precedence: 3 environment dirty, 1 fail, 2 anything else, 0 pass."""

from __future__ import annotations

from meshkit_chaos.judge.verdict import InvocationVerdict, Verdict

PASS, FAIL, UNDECIDED, DIRTY = 0, 1, 2, 3


def exit_code(verdict: InvocationVerdict | Verdict) -> int:
    """What a command ends with. Usage errors (4) and our own errors (5) end before there is a verdict."""
    if verdict.environment == "dirty":
        return DIRTY
    if verdict.verdict == "fail":
        return FAIL
    return PASS if verdict.verdict == "pass" else UNDECIDED

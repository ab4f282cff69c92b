"""A verdict as the exit code of a command, by precedence: 3 environment dirty, 1 fail, 2 anything else, 0 pass.

An error of ours (5) comes between 3 and 1, and is none of a verdict's: `cli/app.py` sees to it.
"""

from __future__ import annotations

from meshkit_chaos.judge.verdict import InvocationVerdict, Verdict

PASS, FAIL, UNDECIDED, DIRTY = 0, 1, 2, 3


def exit_code(verdict: InvocationVerdict | Verdict) -> int:
    """What a command ends with, if nothing breaks on the way. Usage errors (4) end it before there is a verdict."""
    if verdict.environment == "dirty":
        return DIRTY
    if verdict.verdict == "fail":
        return FAIL
    return PASS if verdict.verdict == "pass" else UNDECIDED

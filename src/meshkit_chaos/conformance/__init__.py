"""Checks that any environment and any fault kind must pass, ours or anybody's: run them in your own tests.

    from meshkit_chaos import conformance as kit

    @pytest.mark.parametrize("check", kit.checks(CASE), ids=str)
    def test_it_keeps_the_rules(check: kit.Check) -> None:
        kit.hold(check, CASE)

A ``Case`` says how to come by the environment, and which fault is tried on it. A rule that is broken raises ``Broken``.
"""

from meshkit_chaos.conformance.case import Broken, Case, Check, undo_elsewhere
from meshkit_chaos.conformance.rules import checks, hold

__all__ = ["Broken", "Case", "Check", "checks", "hold", "undo_elsewhere"]

"""What can be wrong with a query: its text, its place outside the subset, or its meeting with the data.

All are ``ValueError``: the caller knows the document, line and column and puts them in front.
"""

from __future__ import annotations


class PromQLError(ValueError):
    """The text is not a query. The message is one sentence that names what was found and what was expected."""


class UnsupportedPromQL(PromQLError):
    """The text is PromQL, but outside the documented subset. ``construct`` is the refused part by name."""

    def __init__(self, construct: str, hint: str) -> None:
        super().__init__(f"{construct} is not supported; {hint}")
        self.construct = construct
        self.hint = hint


class EvaluationError(ValueError):
    """The query cannot be evaluated over this data (ambiguous matching, duplicate results). Never a value, never a pass."""

"""The documented subset by name, and what to use instead of the rest."""

from __future__ import annotations

from typing import Final

AGGREGATIONS: Final = frozenset(
    {"sum", "min", "max", "avg", "count", "group", "quantile", "stddev", "stdvar", "topk", "bottomk"}
)
RANGE_FUNCTIONS: Final = frozenset(
    {"rate", "increase", "irate", "delta", "idelta", "deriv", "resets", "changes", "absent_over_time"}
    | {f"{name}_over_time" for name in ("avg", "min", "max", "sum", "count", "last", "quantile", "stddev", "stdvar", "present")}
)
MATHS_FUNCTIONS: Final = frozenset({"abs", "ceil", "floor", "sgn", "exp", "ln", "log2", "log10", "sqrt"})
OTHER_FUNCTIONS: Final = frozenset(
    {"round", "clamp", "clamp_min", "clamp_max", "timestamp", "time", "scalar", "vector", "label_replace", "absent"}
    | {"histogram_quantile"}
)
FUNCTIONS: Final = RANGE_FUNCTIONS | MATHS_FUNCTIONS | OTHER_FUNCTIONS

_CALENDAR: Final = frozenset({"minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"})
_ANGLES: Final = frozenset(
    {"acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "sin", "sinh", "tan", "tanh", "deg", "rad"}
)
_NATIVE: Final = frozenset(
    {f"histogram_{name}" for name in ("avg", "count", "fraction", "stddev", "stdvar", "sum", "quantiles")}
)
_ORDERING: Final = frozenset({"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})
_INSTEAD: Final = {
    "predict_linear": "use deriv() and add the extrapolation yourself",
    "holt_winters": "use avg_over_time()",
    "double_exponential_smoothing": "use avg_over_time()",
    "mad_over_time": "use stddev_over_time() or quantile_over_time()",
    "first_over_time": "use an offset",
    "label_join": "use label_replace()",
    "info": "use * on (...) group_left (...) with the info metric",
    "pi": "write the number",
    "step": "an indicator is an instant query; write the duration",
    "start": "an indicator is an instant query; use time()",
    "end": "an indicator is an instant query; use time()",
    "ts_of_first_over_time": "use timestamp()",
    "ts_of_last_over_time": "use timestamp()",
    "ts_of_max_over_time": "use max_over_time()",
    "ts_of_min_over_time": "use min_over_time()",
}


def function_hint(name: str) -> str:
    """What to use instead of a function of Prometheus outside the subset; empty for a name Prometheus does not know."""
    groups = (
        (_CALENDAR, "indicators do not depend on the calendar; compute it from time()"),
        (_ANGLES, "trigonometry has no use in an indicator"),
        (_NATIVE, "native histograms are not read; use histogram_quantile() or the _sum and _count series"),
        (_ORDERING, "one number has no order; leave it out"),
    )
    return next((hint for names, hint in groups if name in names), _INSTEAD.get(name, ""))


def aggregation_hint(op: str) -> str:
    if op == "count_values":
        return "use count(x == VALUE) for the value that matters"
    return "use topk() or quantile()"


def operator_hint() -> str:
    return "use + - * / % ^, a comparison, or and/or/unless"

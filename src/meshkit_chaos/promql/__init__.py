"""PromQL over recorded samples: parse (by library), check, evaluate. Pure; knows no clock and no I/O."""

from meshkit_chaos.promql.bounds import never_bad, never_good
from meshkit_chaos.promql.checks import fills_missing, filtering_comparison, range_windows, reach_ns, surely_single
from meshkit_chaos.promql.errors import EvaluationError, PromQLError, UnsupportedPromQL
from meshkit_chaos.promql.evaluate import Evaluator, evaluate
from meshkit_chaos.promql.inputs import Export, Inputs
from meshkit_chaos.promql.parse import parse
from meshkit_chaos.promql.series import STALE, Labels, Series, SeriesLike, Storage, is_stale, label, labels_of
from meshkit_chaos.promql.settings import Settings
from meshkit_chaos.promql.syntax import Matcher, Query, Selector
from meshkit_chaos.promql.value import ManySeries, NoData, Sample, Scalar, Vector, show, single

__all__ = [
    "STALE",
    "EvaluationError",
    "Evaluator",
    "Export",
    "Inputs",
    "Labels",
    "ManySeries",
    "Matcher",
    "NoData",
    "PromQLError",
    "Query",
    "Sample",
    "Scalar",
    "Selector",
    "Series",
    "SeriesLike",
    "Settings",
    "Storage",
    "UnsupportedPromQL",
    "Vector",
    "evaluate",
    "fills_missing",
    "filtering_comparison",
    "is_stale",
    "label",
    "labels_of",
    "never_bad",
    "never_good",
    "parse",
    "range_windows",
    "reach_ns",
    "show",
    "single",
    "surely_single",
]

"""What is measured and what is demanded: quantities, bands, indicators, probes, objectives. Pure; knows no clock and no I/O."""

from meshkit_chaos.slo.band import Band, Goodness
from meshkit_chaos.slo.objective import Form, Indicator, IndicatorKind, Missing, Objective, PhaseName
from meshkit_chaos.slo.probe import Check, CheckResult, CommandCheck, HttpCheck, Probe, TcpCheck
from meshkit_chaos.slo.quantities import Duration, Ratio

__all__ = [
    "Band",
    "Check",
    "CheckResult",
    "CommandCheck",
    "Duration",
    "Form",
    "Goodness",
    "HttpCheck",
    "Indicator",
    "IndicatorKind",
    "Missing",
    "Objective",
    "PhaseName",
    "Probe",
    "Ratio",
    "TcpCheck",
]

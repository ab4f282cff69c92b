"""Alert rules for Prometheus over our metrics: what nobody notices because it does not happen, and what is left broken. Pure.

Each fires for want of data, too: metrics that are gone are an alert of their own.
"""

from __future__ import annotations

import json
from typing import Final

_NEWEST: Final = "meshkit_chaos_newest_invocation_timestamp_seconds"
_RULES: Final[tuple[tuple[str, str, str, str, str, str], ...]] = (
    (
        "ChaosMetricsMissing",
        "absent(meshkit_chaos_build_info)",
        "15m",
        "warning",
        "Nothing tells how the chaos runs stand",
        "Neither the dashboard's /metrics nor a textfile of it is scraped. Until it is, no other alert here can fire.",
    ),
    (
        "ChaosNightMissed",
        "meshkit_chaos_night_overdue == 1",
        "0m",
        "warning",
        "The newest chaos night that was due did not run",
        "Look at the scheduled pipeline. A night that did not run is no evidence of anything.",
    ),
    (
        "ChaosRunsStopped",
        f"time() - max({_NEWEST}) > 129600 or absent({_NEWEST}) and on () meshkit_chaos_build_info",
        "0m",
        "warning",
        "No chaos run began for a day and a half",
        "Look at the pipeline, and at the step that imports its results into the history.",
    ),
    (
        "ChaosEnvironmentDirty",
        'meshkit_chaos_environment_state{state=~"dirty|unknown"} == 1',
        "0m",
        "critical",
        "A chaos run left {{ $labels.environment_class }} {{ $labels.state }}",
        "What was injected may still be in force. Run `meshkit-chaos recover` there; further runs refuse until it is clean.",
    ),
    (
        "ChaosScenarioNotPassing",
        'meshkit_chaos_scenario_verdict{verdict=~"fail|missing|invalid|inconclusive",severity=~"high|critical"} == 1',
        "0m",
        "warning",
        "{{ $labels.scenario }} is {{ $labels.verdict }}",
        "Its newest result that counts is no pass. The dashboard has its page, with the first bad and the last good build.",
    ),
    (
        "ChaosDeliveryDead",
        'meshkit_chaos_deliveries_recent{state=~"dead|ambiguous"} > 0',
        "0m",
        "warning",
        "A chaos message did not arrive, or nobody knows whether it did",
        "Look at the page Deliveries, and at `meshkit-chaos notify status`.",
    ),
)


def rules() -> str:
    """The file that Prometheus reads; strings are quoted as JSON has it, which YAML reads."""
    lines = ["# Made by `meshkit-chaos dashboard grafana`.", "groups:", "  - name: meshkit-chaos", "    rules:"]
    for name, expression, patience, severity, summary, what in _RULES:
        lines += [
            f"      - alert: {name}",
            f"        expr: {json.dumps(expression)}",
            f"        for: {patience}",
            f"        labels: {{severity: {severity}}}",
            f"        annotations: {{summary: {json.dumps(summary)}, description: {json.dumps(what)}}}",
        ]
    return "\n".join(lines) + "\n"

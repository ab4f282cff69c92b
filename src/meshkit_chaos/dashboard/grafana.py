"""A Grafana dashboard over our metrics and a history in PostgreSQL, and alert rules for Prometheus. Pure.

The dashboard asks for its two data sources when it is imported. Whoever has no PostgreSQL still has the upper half. Every
query of it is run by a test against a real Prometheus and a real PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from meshkit_chaos.dashboard.alerts import rules

DASHBOARD: Final = "meshkit-chaos-overview.json"
ALERTS: Final = "meshkit-chaos-alerts.yaml"
_PROMETHEUS: Final = {"type": "prometheus", "uid": "${prometheus}"}
_POSTGRES: Final = {"type": "grafana-postgresql-datasource", "uid": "${postgres}"}
_WIDTH: Final = 24

_Panel = dict[str, Any]

_INVOCATIONS: Final = """SELECT i.at / 1000000 AS time, max(r.ended) / 1000000 AS timeend,
  i.verdict || ': ' || i.sentence AS text, i.verdict || ',' || i.environment AS tags
FROM invocations i JOIN results s ON s.invocation = i.invocation JOIN runs r ON r.result = s.result
WHERE $__unixEpochNanoFilter(i.at) GROUP BY i.invocation, i.at, i.verdict, i.sentence, i.environment ORDER BY i.at"""
_TIMES: Final = """SELECT s.at / 1000000000.0 AS time, s.scenario || ' ' || o.name AS metric,
  coalesce(o.hi, o.lo) / 1000000000.0 AS value
FROM results s JOIN runs r ON r.result = s.result JOIN objectives o ON o.run = r.run
WHERE $__unixEpochNanoFilter(s.at) AND o.lo IS NOT NULL AND NOT o.informational AND r.invalidated = ''
ORDER BY s.at"""
_VERDICTS: Final = """SELECT floor(s.at / 1000000000.0 / 86400) * 86400 AS time, s.verdict AS metric, count(*) AS value
FROM results s WHERE $__unixEpochNanoFilter(s.at) AND NOT s.invalidated GROUP BY 1, 2 ORDER BY 1"""
_BAD: Final = """SELECT to_timestamp(s.at / 1000000000.0) AS began, s.scenario, s.verdict, s.environment, s.sentence, i.subject
FROM results s JOIN invocations i ON i.invocation = s.invocation
WHERE $__unixEpochNanoFilter(s.at) AND s.verdict <> 'pass' AND NOT s.invalidated ORDER BY s.at DESC LIMIT 100"""


def files() -> dict[str, str]:
    """Both files by their names."""
    return {DASHBOARD: json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n", ALERTS: rules()}


def dashboard() -> dict[str, Any]:
    """What Grafana imports (schema 39: version 10.4 and later)."""
    return {
        "uid": "meshkit-chaos-overview",
        "title": "meshkit-chaos: overview",
        "description": "What fails, since when, and how times develop. Green needs a fresh pass.",
        "tags": ["chaos", "meshkit-chaos"],
        "timezone": "utc",
        "editable": True,
        "schemaVersion": 39,
        "time": {"from": "now-30d", "to": "now"},
        "refresh": "5m",
        "templating": {"list": [_source("prometheus", "prometheus"), _source("postgres", "grafana-postgresql-datasource")]},
        "annotations": {"list": [_regions()]},
        "panels": _laid_out(_now(), _over_time()),
    }


def _source(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "type": "datasource", "query": kind, "label": name.capitalize(), "current": {}, "hide": 0}


def _regions() -> dict[str, Any]:
    """Every invocation as a region of time: from its begin to the end of its last run."""
    return {
        "name": "Invocations",
        "datasource": _POSTGRES,
        "enable": True,
        "iconColor": "purple",
        "target": {"rawQuery": True, "rawSql": _INVOCATIONS, "format": "table"},
        "mappings": {
            "time": {"source": "field", "value": "time"},
            "timeEnd": {"source": "field", "value": "timeend"},
            "text": {"source": "field", "value": "text"},
            "tags": {"source": "field", "value": "tags"},
        },
    }


def _now() -> list[_Panel]:
    """How things stand, from Prometheus."""
    return [
        _stat("Not shown to be good", "max(meshkit_chaos_release_blocking_scenarios)", width=5, bad_from=1),
        _stat(
            "Failing, missing or undecided",
            'sum(meshkit_chaos_scenario_verdict{verdict!="pass"})',
            width=5,
            bad_from=1,
        ),
        _stat(
            "Environments left dirty or unknown",
            'sum(meshkit_chaos_environment_state{state=~"dirty|unknown"})',
            width=5,
            bad_from=1,
        ),
        _stat("Nights that did not run", "max(meshkit_chaos_nights_missed)", width=4, bad_from=1),
        _stat(
            "Since the newest run",
            "time() - max(meshkit_chaos_newest_invocation_timestamp_seconds)",
            width=5,
            bad_from=36 * 3600,
            unit="s",
        ),
        _table(
            "Scenarios now",
            "meshkit_chaos_scenario_verdict == 1",
            width=12,
        ),
        _table("Modules of the newest release", "meshkit_chaos_module_standing == 1", width=12),
        _series(
            "Time needed, of its limit", "(" + _HI + ") / on (scenario, objective) " + _LIMIT, width=12, unit="percentunit"
        ),
        _series("Since the last pass", "time() - meshkit_chaos_scenario_last_pass_timestamp_seconds", width=12, unit="s"),
    ]


_HI: Final = 'sum by (scenario, objective) (meshkit_chaos_objective_seconds{bound="hi"})'
_LIMIT: Final = "sum by (scenario, objective) (meshkit_chaos_objective_limit_seconds)"


def _over_time() -> list[_Panel]:
    """What was, from the history itself."""
    return [
        _sql("Times over nights (upper end)", "timeseries", _TIMES, width=14, unit="s"),
        _sql("Results a day", "timeseries", _VERDICTS, width=10, unit="short", bars=True),
        _sql("What did not pass", "table", _BAD, width=24),
    ]


def _laid_out(*several: Sequence[_Panel]) -> list[_Panel]:
    """From left to right, and down where a row is full."""
    laid: list[_Panel] = []
    left = top = lowest = 0
    for number, panel in enumerate((panel for panels in several for panel in panels), start=1):
        wide, high = panel["gridPos"]["w"], panel["gridPos"]["h"]
        if left + wide > _WIDTH:
            left, top = 0, lowest
        laid.append({**panel, "id": number, "gridPos": {"x": left, "y": top, "w": wide, "h": high}})
        left, lowest = left + wide, max(lowest, top + high)
    return laid


def _panel(title: str, kind: str, *, width: int, height: int, source: dict[str, str], targets: list[_Panel]) -> _Panel:
    size = {"w": width, "h": height}
    return {"title": title, "type": kind, "datasource": source, "gridPos": size, "targets": targets, "fieldConfig": {}}


def _prometheus(expression: str, **more: Any) -> _Panel:
    return {"refId": "A", "datasource": _PROMETHEUS, "expr": expression, **more}


def _stat(title: str, expression: str, *, width: int, bad_from: float, unit: str = "short") -> _Panel:
    """A number. Where there is none it says so: no data is never green."""
    steps = [{"color": "green", "value": None}, {"color": "red", "value": bad_from}]
    nothing = [{"type": "special", "options": {"match": "null", "result": {"text": "no data", "color": "red"}}}]
    told = _panel(title, "stat", width=width, height=4, source=_PROMETHEUS, targets=[_prometheus(expression, instant=True)])
    looks = {"unit": unit, "noValue": "no data", "mappings": nothing, "thresholds": {"mode": "absolute", "steps": steps}}
    return {**told, "fieldConfig": {"defaults": looks, "overrides": []}, "options": {"colorMode": "background"}}


def _table(title: str, expression: str, *, width: int) -> _Panel:
    hidden = {"Time": True, "Value": True, "__name__": True, "instance": True, "job": True}
    told = _panel(
        title,
        "table",
        width=width,
        height=9,
        source=_PROMETHEUS,
        targets=[_prometheus(expression, instant=True, format="table")],
    )
    return {**told, "transformations": [{"id": "organize", "options": {"excludeByName": hidden}}]}


def _series(title: str, expression: str, *, width: int, unit: str) -> _Panel:
    told = _panel(title, "timeseries", width=width, height=9, source=_PROMETHEUS, targets=[_prometheus(expression)])
    return {**told, "fieldConfig": {"defaults": {"unit": unit, "noValue": "no data"}, "overrides": []}}


def _sql(title: str, kind: str, query: str, *, width: int, unit: str = "", bars: bool = False) -> _Panel:
    shape = "time_series" if kind == "timeseries" else "table"
    target = {"refId": "A", "datasource": _POSTGRES, "rawQuery": True, "rawSql": query, "format": shape}
    told = _panel(title, kind, width=width, height=10, source=_POSTGRES, targets=[target])
    drawn = {"drawStyle": "bars", "stacking": {"mode": "normal"}} if bars else {"drawStyle": "points", "pointSize": 7}
    looks = {"noValue": "no data", **({"unit": unit} if unit else {}), **({"custom": drawn} if kind == "timeseries" else {})}
    return {**told, "fieldConfig": {"defaults": looks, "overrides": []}}

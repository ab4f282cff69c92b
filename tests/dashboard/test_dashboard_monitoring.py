"""A real Prometheus scrapes us and a real PostgreSQL holds the history: no panel of the Grafana dashboard is empty."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dashboard_server import serving
from history_builder import START, TWO, evidence_of, variant, written
from postgres_server import server
from test_dashboard_feeds import feeds
from test_dashboard_pages import HOSTILE, NIGHTLY

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.alerts import rules
from meshkit_chaos.dashboard.grafana import dashboard
from meshkit_chaos.history.places import open_place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus: a real one is asked"),
]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def scraping(target: str, folder: Path) -> Iterator[str]:
    """A Prometheus that scrapes an address and reads our rules."""
    (folder / "rules.yaml").write_text(rules(), encoding="utf-8")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yaml]\n"
        f"scrape_configs: [{{job_name: chaos, static_configs: [{{targets: ['{target}']}}]}}]\n",
        encoding="utf-8",
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(20)


def ask(url: str, path: str, **fields: str) -> Any:
    with DIRECT.open(f"{url}/api/v1/{path}?{urllib.parse.urlencode(fields)}", timeout=20) as answer:
        return json.load(answer)["data"]


def until(look: Any, *, seconds: float = 60) -> Any:
    """The first answer that is not empty; a server that is not up yet has none."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := look():
                return found
        time.sleep(0.3)
    raise AssertionError("nothing came")


def test_no_panel_is_empty(tmp_path: Path) -> None:
    """Every query and the annotation of the dashboard gives something; the alert on old runs fires, that on dirt does not."""
    (tmp_path / "chaos-gate.yaml").write_bytes(NIGHTLY)
    with server() as place, open_place(place, ManualClock(wall_ns=START), artifacts=str(tmp_path / "artifacts")) as held:
        for number in range(3):
            held.add(written(variant(evidence_of(TWO), number * 90_000), tmp_path / f"out{number}"))
        empty = [text for text in sql_queries() if not rows(place, text)]
        assert empty == []
        with (
            serving(held, policy=tmp_path / "chaos-gate.yaml") as client,
            scraping(f"127.0.0.1:{client.port}", tmp_path) as url,
        ):
            until(lambda: ask(url, "query", query="meshkit_chaos_build_info")["result"])
            assert [text for text in prometheus_queries() if not ask(url, "query", query=text)["result"]] == []
            firing = until(
                lambda: {one["labels"]["alertname"] for one in ask(url, "alerts")["alerts"] if one["state"] == "firing"}
            )
            assert {"ChaosRunsStopped", "ChaosNightMissed"} <= firing
            assert "ChaosEnvironmentDirty" not in firing
            assert "ChaosMetricsMissing" not in firing


def prometheus_queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"] if "expr" in target]


def sql_queries() -> list[str]:
    found = [target["rawSql"] for panel in dashboard()["panels"] for target in panel["targets"] if "rawSql" in target]
    return [*found, *(one["target"]["rawSql"] for one in dashboard()["annotations"]["list"])]


def rows(place: str, text: str) -> list[Any]:
    """What Grafana would get: its one macro is replaced as its documentation says."""
    since, until_ = START - 10**15, START + 10**15
    query = re.sub(r"\$__unixEpochNanoFilter\(([^)]+)\)", rf"\1 >= {since} AND \1 <= {until_}", text)
    assert "$" not in query
    engine = sa.create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        found = list(connection.execute(sa.text(query)))
    engine.dispose()
    return found


@pytest.mark.parametrize("hostile", [False, True])
def test_promtool_reads_our_metrics(hostile: bool) -> None:
    """Nothing in them is wrong or against its advice, whatever the scenarios are called."""
    from gate_worlds import history, result  # noqa: PLC0415  # only here

    name = HOSTILE + '\n"\\' if hostile else "leader-killed"
    held = history(result("fail", scenario=name, modules=(name,), subject={"version": name}, environment="dirty"))
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=feeds(held, nightly=True).metrics().encode(), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


ALERTS_TEST = """
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'meshkit_chaos_build_info', values: '1x60'}
      - {series: 'meshkit_chaos_night_overdue', values: '0x10 1x50'}
      - {series: 'meshkit_chaos_environment_state{environment_class="lab", state="dirty"}', values: '0x10 1x50'}
      - {series: 'meshkit_chaos_environment_state{environment_class="lab", state="clean"}', values: '1x10 0x50'}
      - {series: 'meshkit_chaos_newest_invocation_timestamp_seconds', values: '0x60'}
    alert_rule_test:
      - {eval_time: 5m, alertname: ChaosNightMissed, exp_alerts: []}
      - {eval_time: 5m, alertname: ChaosEnvironmentDirty, exp_alerts: []}
      - {eval_time: 5m, alertname: ChaosRunsStopped, exp_alerts: []}
      - {eval_time: 5m, alertname: ChaosMetricsMissing, exp_alerts: []}
      - eval_time: 20m
        alertname: ChaosNightMissed
        exp_alerts: [{exp_labels: {severity: warning}, exp_annotations: {summary: "SUMMARY_NIGHT", description: "WHAT_NIGHT"}}]
      - eval_time: 20m
        alertname: ChaosEnvironmentDirty
        exp_alerts:
          - exp_labels: {severity: critical, environment_class: lab, state: dirty}
            exp_annotations: {summary: "A chaos run left lab dirty", description: "WHAT_DIRTY"}
  - interval: 1m
    input_series: [{series: 'meshkit_chaos_build_info', values: '1x60'}]
    alert_rule_test:
      - eval_time: 5m
        alertname: ChaosRunsStopped
        exp_alerts: [{exp_labels: {severity: warning}, exp_annotations: {summary: "SUMMARY_RUNS", description: "WHAT_RUNS"}}]
  - interval: 1m
    input_series: []
    alert_rule_test:
      - {eval_time: 10m, alertname: ChaosMetricsMissing, exp_alerts: []}
      - eval_time: 16m
        alertname: ChaosMetricsMissing
        exp_alerts:
          - exp_labels: {severity: warning}
            exp_annotations: {summary: "SUMMARY_METRICS", description: "WHAT_METRICS"}
"""


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    """A missed night, dirt, no run at all, and no metrics at all; and none of them without a reason."""
    text = ALERTS_TEST
    for word, name in (("NIGHT", "ChaosNightMissed"), ("RUNS", "ChaosRunsStopped"), ("METRICS", "ChaosMetricsMissing"),
                       ("DIRTY", "ChaosEnvironmentDirty")):  # fmt: skip
        told = rules().partition(f"alert: {name}\n")[2]
        summary, what = re.findall(r'summary: "(.*?)", description: "(.*?)"}', told)[0]
        text = text.replace(f"SUMMARY_{word}", summary).replace(f"WHAT_{word}", what)
    (tmp_path / "rules.yaml").write_text(rules(), encoding="utf-8")
    (tmp_path / "test.yaml").write_text(text, encoding="utf-8")
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

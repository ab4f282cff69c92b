"""A real Prometheus on loopback, filled with given series: the referee of the differential test.

Samples go in by remote write, because it keeps staleness markers, which no text format can carry.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from meshkit_chaos.promql import Labels, Series

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Answer = float | dict[Labels, float] | None
"""A scalar, a vector, or None where the server refuses to evaluate."""

Steps = dict[int, dict[Labels, float]]
"""The vector at each step of a range query, by nanosecond; steps without a sample are left out."""


class PrometheusServer:
    def __init__(self, folder: Path) -> None:
        (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1m}\n", encoding="ascii")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/api/v1"
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if "ready to receive web requests" in line:
                return
        raise AssertionError("prometheus ended: " + "".join(said))

    def __enter__(self) -> PrometheusServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def write(self, series: Iterable[Series]) -> None:
        body = _snappy(b"".join(_field(1, _series(one)) for one in series))
        request = urllib.request.Request(f"{self._url}/write", data=body, method="POST")
        with _DIRECT.open(request) as answer:
            assert answer.status == 204

    def query(self, text: str, at_ns: int) -> Answer:
        result = self._ask("query", {"query": text, "time": _seconds(at_ns)})
        if result is None:
            return None
        if result["resultType"] == "scalar":
            return float(result["result"][1])
        return {_labels(one): float(one["value"][1]) for one in result["result"]}

    def query_range(self, text: str, times_ns: range) -> Steps | None:
        """The answers at the instants of ``times_ns``; None where the server refuses. A scalar is a vector without labels."""
        fields = {"start": _seconds(times_ns[0]), "end": _seconds(times_ns[-1]), "step": _seconds(times_ns.step)}
        result = self._ask("query_range", {"query": text, **fields})
        if result is None:
            return None
        steps: Steps = {}
        for one in result["result"]:
            for time, value in one["values"]:
                steps.setdefault(round(time * 1000) * 10**6, {})[_labels(one)] = float(value)
        return steps

    def _ask(self, how: str, fields: dict[str, str]) -> dict[str, Any] | None:
        try:
            with _DIRECT.open(f"{self._url}/{how}", data=urllib.parse.urlencode(fields).encode()) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            with refused:
                said = json.load(refused)
            assert said["errorType"] == "execution", (fields, said)
            return None


def _seconds(time_ns: int) -> str:
    return f"{time_ns // 10**6 / 1000:.3f}"


def _labels(one: dict[str, Any]) -> Labels:
    return tuple(sorted(one["metric"].items()))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, body: bytes) -> bytes:
    """A length-delimited field of the protobuf encoding."""
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _series(series: Series) -> bytes:
    labels = b"".join(_field(1, _field(1, k.encode()) + _field(2, v.encode())) for k, v in series.labels)
    samples = b"".join(
        _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(time // 10**6))
        for time, value in zip(series.times, series.values, strict=True)
    )
    return labels + samples


def _snappy(body: bytes) -> bytes:
    """Snappy's block format with literals only."""
    out = _varint(len(body))
    for start in range(0, len(body), 65_536):
        part = body[start : start + 65_536]
        out += bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part
    return out

"""The dashboard as a server: what it answers, what it refuses, and that it only reads."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_server import Client, serving
from history_builder import TWO, evidence_of, opened, variant, written
from jsonschema import Draft202012Validator

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.bundles import unpack
from meshkit_chaos.history.index import History
from meshkit_chaos.history.model import Ask

PAGES = ("/", "/grid.html", "/coverage.html", "/compare.html", "/gate.html", "/deliveries.html", "/binaries.html")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Two invocations of two scenarios, one of them with a document."""
    folder = tmp_path_factory.mktemp("served")
    with opened(folder / "history") as history:
        for number in range(2):
            out = written(variant(evidence_of(TWO), number * 90_000), folder / f"out{number}")
            history.add(out, documents=lambda results: {"report.html": b"<script>alert(1)</script>"})
        yield history


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results folders, with one run in progress: its journal has no end."""
    folder = tmp_path_factory.mktemp("results")
    evidence = evidence_of(TWO)
    out = written(evidence, folder / "now")
    journal = out / "runs/leader-killed/001/journal.jsonl"
    whole = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(whole[: len(whole) // 2]).replace(b'"title":"', b'"title":"<img src=x onerror=alert(1)>'))
    return folder


@pytest.fixture(scope="module")
def client(held: History, results: Path) -> Iterator[Client]:
    with serving(held, runs=results, names=("chaos.example.org",)) as served:
        yield served


def run_of(held: History) -> tuple[str, str]:
    """An invocation and one of its runs, of the scenario that fails."""
    one = held.results(Ask(scenarios=("too-strict",)))[0]
    return one.invocation, one.runs[0].run


@pytest.mark.parametrize(
    "path",
    [*PAGES, "/live.html", "/metrics", "/badge/release.svg", "/api/openapi.json", "/api/v1/scenarios", "/healthz", "/no"],
)
def test_every_answer_forbids_what_it_does_not_need(client: Client, path: str) -> None:
    """No sniffing, no framing, no referrer, no foreign source; whatever is answered."""
    answer = client.get(path)
    assert answer.status == (404 if path == "/no" else 200)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/scenarios", "/live/stream", "/healthz"])
def test_only_reading_is_answered(client: Client, method: str, path: str) -> None:
    """Every other method is refused, on every path."""
    assert client.get(path, method=method).status == 405


@pytest.mark.parametrize("path", ["/", "/metrics", "/live/stream"])
def test_head_is_get_without_a_body(client: Client, path: str) -> None:
    """It ends, also for a stream."""
    answer = client.get(path, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "host", ["evil.example", "chaos.example.org.evil.example", "127.0.0.1.evil", "", "localhost@evil", "[::1"]
)
def test_another_name_is_refused(client: Client, host: str) -> None:
    """A page elsewhere that makes its own name point here reads nothing."""
    answer = client.get("/", headers={"Host": host})
    assert answer.status in (400, 421)
    assert b"<main" not in answer.body


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "chaos.example.org", "Chaos.Example.org:443"]
)
def test_loopback_and_allowed_names_are_answered(client: Client, host: str) -> None:
    """With any port: a proxy may stand between."""
    assert client.get("/", headers={"Host": host}).status == 200


def test_what_somebody_has_already_is_not_sent_again(client: Client) -> None:
    """A page that did not change is told by its tag."""
    first = client.get("/api/v1/scenarios")
    again = client.get("/api/v1/scenarios", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert client.get("/api/v1/scenarios", headers={"If-None-Match": '"other"'}).status == 200


TRAVERSALS = (
    "../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//etc/passwd", "/etc/passwd", "%00",
    "..\\..\\etc\\passwd", "{invocation}/../../index.sqlite", "{invocation}/%2e%2e/%2e%2e/index.sqlite", "{invocation}/",
    "{invocation}/journal.jsonl%00.html", "{invocation}.tar.gz/", "{invocation}", "{invocation}.tar", "index.sqlite", "~00",
)  # fmt: skip


@pytest.mark.parametrize(
    "place", ["/evidence/", "/", "/run/", "/scenario/", "/invocation/", "/badge/", "/badge/scenario/", "/api/v1/"]
)
@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_to_a_file(client: Client, held: History, place: str, path: str) -> None:
    """What a reader types is looked up in the index; it is never a path on a disk."""
    answer = client.get(place + path.format(invocation=run_of(held)[0]))
    if (place, path) == ("/invocation/", "{invocation}"):
        assert answer.status == 404
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body
    assert b"SQLite" not in answer.body


def test_a_bundle_and_its_documents_can_be_taken_along(client: Client, held: History) -> None:
    """They are what the history holds, to keep and not to be shown: a document of others is no page of ours."""
    invocation, _ = run_of(held)
    assert f'href="../evidence/{invocation}.tar.gz"' in client.get(f"/invocation/{invocation}.html").text
    bundle = client.get(f"/evidence/{invocation}.tar.gz")
    assert unpack(held.bundles()[invocation], bundle.body)
    document = client.get(f"/evidence/{invocation}/report.html")
    assert document.body == b"<script>alert(1)</script>"
    for answer in (bundle, document):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith(f'attachment; filename="{invocation}')
        assert "sandbox" in answer.headers["content-security-policy"]


def test_the_api_answers_as_its_description_says(client: Client, held: History) -> None:
    """Each answer is valid by the schema that the description gives for it."""
    described = json.loads(client.get("/api/openapi.json").body)
    invocation, run = run_of(held)
    asked = {
        "/api/v1/scenarios": "",
        "/api/v1/invocations": "?limit=1",
        "/api/v1/invocations/{invocation}": "",
        "/api/v1/results": "?scenario=too-strict&verdict=fail&limit=1",
        "/api/v1/runs/{run}/what-if": "?objective=converge-one-leader&within=60",
    }
    assert set(asked) == set(described["paths"])
    for path, parameters in asked.items():
        answer = client.get(path.format(invocation=invocation, run=run) + parameters)
        assert answer.status == 200, answer.text
        schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": described["components"]}
        found = json.loads(answer.body)
        Draft202012Validator(whole).validate(found)
        assert found, path


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/results",
        "/api/v1/results?scenario=",
        "/api/v1/results?scenario=x&limit=0",
        "/api/v1/results?scenario=x&limit=201",
        "/api/v1/results?scenario=x&limit=%F0%9D%9F%8F",
        "/api/v1/results?scenario=x&since=-1",
        "/api/v1/results?scenario=x&before=99999999999999999999",
        "/api/v1/results?scenario=x&verdict=good",
        "/api/v1/results?scenario=%00",
        "/api/v1/results?scenario=x&lmit=1",
        "/api/v1/invocations/%00",
        "/api/v1/runs/{run}/what-if?objective=converge-one-leader&within=nan",
        "/api/v1/runs/{run}/what-if?objective=converge-one-leader&within=inf",
        "/api/v1/runs/{run}/what-if?objective=converge-one-leader&within=0",
        "/api/v1/runs/{run}/what-if?objective=converge-one-leader&within=1e300",
        "/api/v1/runs/{run}/what-if?objective=nobody&within=1",
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(client: Client, held: History, path: str) -> None:
    """It is refused with a reason, as JSON, and never guessed at."""
    answer = client.get(path.format(run=run_of(held)[1]))
    assert answer.status == 400, answer.text
    assert set(json.loads(answer.body)) == {"error", "hint"}


def test_what_if_judges_again_and_keeps_nothing(client: Client, held: History) -> None:
    """Another limit gives another verdict, marked as a what-if; the recorded one gives the recorded; nothing is written."""
    before = everything_on_disk(held)
    _, run = run_of(held)

    def asked(within: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            client.get(f"/api/v1/runs/{run}/what-if?objective=converge-one-leader&within={within}").body
        )
        return found

    assert (asked("3")["verdict"], asked("3")["what_if"], asked("3")["recorded"]) == ("pass", True, "fail")
    assert (asked("0.5")["verdict"], asked("0.5")["what_if"]) == ("fail", False)
    assert everything_on_disk(held) == before


def everything_on_disk(held: History) -> tuple[object, ...]:
    return held.results(Ask(invalidated=True)), held.bundles()


def test_the_history_is_open_for_reading_only(client: Client, held: History) -> None:
    """Neither we nor a query could write."""
    with pytest.raises(HistoryProblem, match="reading only"), held.database.writing():
        pass
    with pytest.raises(HistoryProblem, match="readonly"), held.database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM results")


def test_a_run_in_progress_is_streamed_as_text(client: Client) -> None:
    """The page shows where it is, the stream what happened; what its document says is escaped in one and JSON in the other."""
    page = client.get("/live.html").text
    assert "&lt;img src=x" in page
    assert "<img" not in page
    with client.stream("/live/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [json.loads(data) for kind, data in events(stream) if kind == "line"]
    assert any(line["word"] == "inject" for line in lines)
    assert all(line["key"] == "now/runs/leader-killed/001" for line in lines)
    assert "<img" in "".join(line["text"] for line in lines)


def events(stream: object) -> Iterator[tuple[str, str]]:
    """Until the first that says where the runs are: all lines that were there come before it."""
    kind = ""
    for raw in stream:  # type: ignore[attr-defined]  # an answer is read by lines
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        kind = value if name == "event" else kind
        if name == "data":
            yield kind, value
            if kind == "runs":
                return


def test_a_run_goes_on_and_ends(held: History, tmp_path: Path) -> None:
    """What is appended is told once; after its end the run is no longer in progress; a torn line waits for its rest."""
    from meshkit_chaos.clock import SystemClock  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.following import Follower  # noqa: PLC0415  # as above
    from meshkit_chaos.dashboard.live import Watch  # noqa: PLC0415  # as above

    out = written(evidence_of(TWO), tmp_path / "out")
    journal = out / "runs/leader-killed/001/journal.jsonl"
    (out / "runs/too-strict/001/journal.jsonl").unlink()
    whole = journal.read_bytes()
    half = len(whole) // 2
    journal.write_bytes(whole[:half])
    watch = Watch(tmp_path, SystemClock())
    first = watch.look()
    assert [run.scenario for run in first.runs] == ["leader-killed"]
    assert watch.look().lines == ()
    journal.write_bytes(whole)
    last = watch.look()
    assert last.runs == ()
    assert [*first.lines, *last.lines] == Follower(journal.parent, "out/runs/leader-killed/001").more()
    assert Watch(tmp_path, SystemClock()).look().lines == ()
    assert hashlib.sha256(journal.read_bytes()).hexdigest() == hashlib.sha256(whole).hexdigest()


def test_no_link_is_followed_to_a_run(tmp_path: Path) -> None:
    """A results folder, a run or a journal that is a link, a pipe or no journal at all is left out or said to be unreadable."""
    from meshkit_chaos.clock import SystemClock  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.live import Watch  # noqa: PLC0415  # as above

    elsewhere = written(evidence_of(TWO), tmp_path / "elsewhere" / "out")
    results = tmp_path / "results"
    (results / "out/runs/a").mkdir(parents=True)
    (results / "out/invocation.jsonl").write_bytes(b"")
    (results / "linked").symlink_to(elsewhere)
    (results / "out/runs/a/001").symlink_to(elsewhere / "runs/leader-killed/001")
    (results / "out/runs/a/002").mkdir()
    (results / "out/runs/a/002/journal.jsonl").symlink_to(elsewhere / "runs/leader-killed/001/journal.jsonl")
    (results / "out/runs/a/003").mkdir()
    os.mkfifo(results / "out/runs/a/003/journal.jsonl")
    (results / "out/runs/a/004").mkdir()
    (results / "out/runs/a/004/journal.jsonl").write_bytes(b"\x00\xff not a journal\n" * 10)
    look = Watch(results, SystemClock()).look()
    assert [(run.key, run.phase) for run in look.runs] == [("out/runs/a/004", "cannot be read on")]
    assert look.lines == ()


def test_the_page_of_a_run_asks_its_server(client: Client, held: History) -> None:
    """Only on a server, by a relative address that is answered."""
    _, run = run_of(held)
    page = client.get(f"/run/{run}.html").text
    assert f'data-ask="../api/v1/runs/{run}/what-if"' in page
    assert client.get(f"/api/v1/runs/{run}/what-if?objective=converge-one-leader&within=3").status == 200


def test_a_page_that_breaks_tells_nothing_of_why(held: History) -> None:
    """The reader hears that it is our defect; what broke is for the log, and the headers are those of every answer."""
    from meshkit_chaos.dashboard.serve import Served, application  # noqa: PLC0415  # needs what dashboard_server looked for

    class Broken:
        def page(self, path: str, parameters: object) -> str:
            raise RuntimeError(f"secret in {path}")

    parts: Any = Broken()
    app = application(Served(site=parts, feeds=parts, api=parts, download=lambda path: None))
    scope = {
        "type": "http", "method": "GET", "path": "/grid.html", "raw_path": b"/grid.html", "query_string": b"",
        "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http", "server": ("localhost", 80),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def asked() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)

    with pytest.raises(RuntimeError, match="secret"):
        asyncio.run(asked())
    assert sent[0]["status"] == 500
    assert (b"x-frame-options", b"DENY") in sent[0]["headers"]
    assert b"secret" not in sent[1]["body"]
    assert b"defect" in sent[1]["body"]


def test_a_page_is_sent_compressed_to_whoever_takes_it(client: Client) -> None:
    """The same bytes, smaller on the way, with the same tag; who says nothing or no gets them as they are."""
    plain = client.get("/grid.html")
    packed = client.get("/grid.html", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert without_minute(gzip.decompress(packed.body).decode()) == without_minute(plain.text)
    assert len(packed.body) < len(plain.body) / 2
    assert {plain.headers["vary"], packed.headers["vary"]} == {"Accept-Encoding"}
    again = client.get("/grid.html", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})
    assert again.status == 304 or again.headers["etag"] != packed.headers["etag"]  # a minute may have gone by
    assert "content-encoding" not in client.get("/healthz", headers={"Accept-Encoding": "gzip"}).headers


def without_minute(page: str) -> str:
    return page.partition("<footer")[0]


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP ; q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("x-gzip, *", False),
    ],
)
def test_only_who_says_so_takes_gzip(header: str, takes: bool) -> None:
    """As RFC 9110 has it: a weight of nothing means no."""
    from meshkit_chaos.dashboard.serve import takes_gzip  # noqa: PLC0415  # needs what dashboard_server looks for

    assert takes_gzip(header) is takes

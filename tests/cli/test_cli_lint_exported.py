"""``lint`` against what a target exports: a saved page, or an address that is asked."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines import command, write_documents
from virtual_runs import ENVIRONMENT, INDICATORS, document

from meshkit_chaos.cli.places import attach
from meshkit_chaos.scenario.load import load_environment
from meshkit_chaos.slo import Duration

PAGE = 'etcd_server_is_leader 1\nmesh_shards{state="ok",zone="a"} 3\nmesh_shards{state="lost",zone="a"} 0\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario document that reads what the page exports, and a query that does not fit it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics.txt").write_text(PAGE, encoding="utf-8")
    return write_documents(tmp_path / "docs")


class Target(http.server.BaseHTTPRequestHandler):
    """Answers with the page."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 404)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where the page is answered."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def with_query(tmp_path: Path, query: str) -> Path:
    indicators = INDICATORS + f"  other: {{promql: '{query}', good: \"== 3\"}}\n"
    return write_documents(tmp_path / "docs", document(indicators=indicators))


def test_what_the_page_exports_is_fine(file: Path) -> None:
    """Queries that fit the page have no problem."""
    assert command("lint", file, "--exposition", "metrics.txt").code == 0


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("sum(mesh_shard)", 4, "did you mean mesh_shards?"),
        ('sum(mesh_shards{sate="ok"})', 4, "did you mean state?"),
        ('sum(mesh_shards{state="okk"})', 0, "did you mean ok?"),
        ('sum(mesh_shards{state=~"lo.*"})', 0, ""),
        ('sum(mesh_shards{state!="lost"})', 0, ""),
        ("max(sum by (zon) (mesh_shards))", 0, "groups by 'zon'"),
        ("max(sum by (zone, member) (mesh_shards))", 0, ""),
        ('sum(mesh_shards{member="node-1"})', 0, ""),
        ("count(up == 1)", 0, ""),
    ],
)
def test_names_and_labels_are_compared(tmp_path: Path, file: Path, query: str, code: int, said: str) -> None:
    """An unknown metric or label is an error, a value that is not there now a warning, each with the nearest one."""
    del file
    ended = command("lint", with_query(tmp_path, query), "--env", tmp_path / "docs" / "lab.yaml", "--exposition", "metrics.txt")
    told = "\n".join(line for line in ended.out.splitlines() if "MC114" not in line)
    assert ended.code == code, ended
    assert said in told
    assert bool(said) == ("metrics.txt" in told)


def test_an_address_is_asked_only_when_it_is_given(tmp_path: Path, file: Path, address: str) -> None:
    """With --live the page is fetched once."""
    del file
    ended = command("lint", with_query(tmp_path, "sum(mesh_shard)"), "--live", f"{address}/metrics")
    assert ended.code == 4
    assert "did you mean mesh_shards?" in ended.out


@pytest.mark.parametrize(
    "more",
    [
        ("--exposition", "none.txt"),
        ("--exposition", "docs/lab.yaml"),
        ("--exposition", "empty.txt"),
        ("--exposition", "metrics.txt", "--live", "http://127.0.0.1:1/metrics"),
        ("--live", "127.0.0.1:1/metrics"),
        ("--live", "http://127.0.0.1:1/metrics"),
    ],
)
def test_a_page_that_cannot_be_used_is_4(tmp_path: Path, file: Path, more: tuple[str, ...]) -> None:
    """No page, no metrics, no address: lint does not go on as if nothing had been asked."""
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    ended = command("lint", file, *more)
    assert ended.code == 4
    assert ended.err


def test_an_address_that_has_no_page_is_4(file: Path, address: str) -> None:
    """A page that is not found is said with its status."""
    ended = command("lint", file, "--live", f"{address}/other")
    assert ended.code == 4
    assert "404" in ended.err


ATTACHED = """version: 1
name: mesh
kind: attached
members: [{name: node-1, ports: {http: PORT}}]
host: 127.0.0.1
levers:
  pause: {do: ["false"], undo_with: resume}
  resume: {do: ["false"]}
roles: {leader: {tcp: {address: "${member.host}:${member.port.http}"}}}
observe:
  up: {command: ["false"], prints: "yes"}
  paused: {command: ["false"], prints: "yes"}
  identity: {command: ["false"]}
metrics: {url: "http://${member.host}:${member.port.http}/metrics"}
"""


@pytest.fixture
def attached(tmp_path: Path, address: str) -> Path:
    """The document of a mesh that runs elsewhere, whose one member answers with the page; its commands must never be run."""
    path = tmp_path / "attached.yaml"
    path.write_text(ATTACHED.replace("PORT", address.rpartition(":")[2]), encoding="utf-8")
    return path


def test_the_page_that_an_environment_names_is_used(tmp_path: Path, file: Path) -> None:
    """``metrics: {exposition: …}`` is beside the document, and lint compares with it wherever that environment counts."""
    del file
    scenarios = with_query(tmp_path, "sum(mesh_shard)")
    lab = tmp_path / "docs" / "lab.yaml"
    lab.write_text(ENVIRONMENT.replace("metrics:\n", "metrics:\n  exposition: page.txt\n"), encoding="utf-8")
    ended = command("lint", scenarios)
    assert ended.code == 4
    assert "page.txt cannot be read" in ended.err
    (tmp_path / "docs" / "page.txt").write_text(PAGE, encoding="utf-8")
    for more in ((), ("--env", lab)):
        ended = command("lint", scenarios, *more)
        assert ended.code == 4
        assert "page.txt does not export mesh_shard" in ended.out
        assert "did you mean mesh_shards?" in ended.out
    assert command("lint", with_query(tmp_path, "sum(mesh_shards)")).code == 0


def test_a_page_behind_a_link_is_refused(tmp_path: Path, file: Path) -> None:
    """A document cannot make lint read, and quote, what lies elsewhere."""
    (tmp_path / "elsewhere.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "docs" / "page.txt").symlink_to(tmp_path / "elsewhere.txt")
    lab = tmp_path / "docs" / "lab.yaml"
    lab.write_text(ENVIRONMENT.replace("metrics:\n", "metrics:\n  exposition: page.txt\n"), encoding="utf-8")
    ended = command("lint", file)
    assert ended.code == 4
    assert "symbolic link" in ended.err
    assert "secret" not in ended.err


def test_the_members_of_an_attached_mesh_are_asked(tmp_path: Path, file: Path, attached: Path) -> None:
    """``--env ENV --target`` compares with what the members export now, and runs none of the environment's commands."""
    del file
    ended = command("lint", with_query(tmp_path, 'sum(mesh_shards{sate="ok"})'), "--env", attached, "--target")
    assert ended.code == 4
    assert "did you mean state?" in ended.out
    assert command("lint", with_query(tmp_path, "sum(mesh_shards)"), "--env", attached, "--target").code == 0


def test_an_environment_that_is_up_is_asked_by_its_id(
    tmp_path: Path, file: Path, attached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state says where its members are; the document that it was made from is what scenarios are checked against."""
    del file
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    described = load_environment(attached.read_bytes(), path=str(attached)).value
    assert described is not None
    attach(described, {}, environment_id="mesh", allow=True, wait=Duration(0))
    ended = command("lint", with_query(tmp_path, "sum(mesh_shard)"), "--env", "mesh", "--target")
    assert ended.code == 4
    assert "mesh does not export mesh_shard" in ended.out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--target",), "name it: --env ENV"),
        (("--env", "docs/lab.yaml", "--target"), "which nobody has started"),
        (("--env", "docs/lab.yaml", "--target", "--exposition", "metrics.txt"), "both given"),
        (("--env", "nowhere.yaml", "--target"), "nowhere.yaml cannot be read"),
    ],
)
def test_a_target_that_cannot_be_asked_is_4(file: Path, more: tuple[str, ...], said: str) -> None:
    """Without members that answer there is nothing to compare with, and lint says so."""
    ended = command("lint", file, *more)
    assert ended.code == 4
    assert said in ended.err

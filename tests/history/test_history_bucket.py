"""A bucket of a real S3-compatible server: as a remote, as the place of artifacts, and create-only under a crowd."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bucket_server import BUCKET, KEY, SECRET, server
from history_builder import START, crashed, everything, evidence_of, opened, variant, written

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.bucket import BucketStore
from meshkit_chaos.history.checking import verify
from meshkit_chaos.history.places import open_place, opened_shelf
from meshkit_chaos.history.travel import Moved, pull, push

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("weed")) as running:
        yield running


@pytest.fixture
def remote(address: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A prefix of its own for every test; the environment says the rest, as in a CI job."""
    given = {
        "AWS_ENDPOINT": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{request.node.name.replace('_', '-')}"


def test_a_history_arrives_whole(remote: str, tmp_path: Path) -> None:
    """Pushed from one machine and pulled on another it says the same; a second time moves nothing."""
    with opened(tmp_path / "here") as here, opened(tmp_path / "there") as there, opened_shelf(remote) as shelf:
        assert pull(there, shelf) == Moved(), "nothing is there yet"
        for number in range(3):
            here.add(written(variant(evidence_of(), number), tmp_path / f"out-{number}"))
        here.mark(everything(here)[0].runs[0].run, counts=False, reason="bad lab", by="jo")
        assert push(here, shelf) == Moved(invocations=3, marks=1)
        assert push(here, shelf) == Moved()
        assert pull(there, shelf) == Moved(invocations=3, marks=1)
        assert everything(there) == everything(here)


def test_artifacts_may_lie_in_a_bucket(remote: str, tmp_path: Path) -> None:
    """An index whose bundles lie in a bucket takes in, grows and is verified like any other."""
    whole = evidence_of()
    with open_place(str(tmp_path / "h"), ManualClock(wall_ns=START), artifacts=remote, make=True) as history:
        outs = [written(state, tmp_path / f"out-{number}") for number, state in enumerate((crashed(whole), whole))]
        assert [history.add(out, documents=lambda _: {"verdict.json": b"{}"}).how for out in outs] == ["new", "grew"]
        assert verify(history).problems == ()
        assert not (tmp_path / "h" / "artifacts").exists()
        history.store.remove(next(iter(history.bundles().values())))
        assert "cannot be read" in verify(history).problems[0][1]


def test_a_name_is_taken_once(remote: str) -> None:
    """Of twenty that put one name at once, one is told that it was first, and its bytes stay."""
    shelf = BucketStore(remote)
    with ThreadPoolExecutor(20) as crowd:
        added = list(crowd.map(lambda number: shelf.add({"runs/x": b"%d" % number}), range(20)))
    assert sorted(added) == [0] * 19 + [1]
    assert shelf.read("runs/x") == b"%d" % added.index(1)
    assert shelf.names() == {"runs/x"}


def test_the_servers_refusal_is_told(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not there, a wrong key and a server that is away are told with what to check, and never the key."""
    with pytest.raises(HistoryProblem, match="cannot be read"):
        BucketStore(remote).read("runs/none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2")
    with pytest.raises(HistoryProblem) as told:
        BucketStore(remote).names()
    assert "AWS_SECRET_ACCESS_KEY" in told.value.hint
    assert "hunter2" not in told.value.message
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(HistoryProblem, match="cannot be written"):
        BucketStore(remote).add({"runs/x": b"x"})

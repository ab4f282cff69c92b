"""Trap 27: no room for the record. Nothing is injected without its intent on disk, and what was begun is undone."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from not_a_pass import check_not_a_pass
from virtual_runs import Staged, concluded, invoke

from meshkit_chaos.campaign.log import LOG, InvocationEnded, InvocationLog, InvocationStarted, read_log
from meshkit_chaos.errors import JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal import store
from meshkit_chaos.journal.reading import read_record

PLACES = (
    ev.DeployIntended,
    ev.DeployDone,
    ev.SteadyStateChecked,
    ev.FingerprintTaken,
    ev.TargetResolved,
    ev.FaultIntended,
    ev.FaultInjected,
    ev.EffectObserved,
    ev.HoldDone,
    ev.RevertIntended,
    ev.RevertDone,
    ev.EnvironmentVerified,
)


class FullFrom:
    """A disk that is full from the moment at which an event of one kind is to be written, but for the space kept aside."""

    def __init__(self, kind: type, *, reserve: int) -> None:
        self.kind = kind
        self.full = False
        self.reserve = 0
        self._kept = reserve
        self.refused: list[ev.AnyEvent] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between the journal and its file."""
        write, append, release = store.Journal._write, store.Journal.append, store.Journal.release_reserve

        def appending(journal: store.Journal, event: ev.AnyEvent, *, sync: bool = False) -> ev.Entry:
            self.full = self.full or isinstance(event, self.kind)
            try:
                return append(journal, event, sync=sync)
            except JournalUnwritable:
                self.refused.append(event)
                raise

        def writing(journal: store.Journal, line: bytes, *, sync: bool) -> None:
            if self.full and len(line) > self.reserve:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.reserve -= len(line) if self.full else 0
            write(journal, line, sync=sync)

        def releasing(journal: store.Journal) -> None:
            self.reserve += self._kept
            self._kept = 0
            release(journal)

        monkeypatch.setattr(store.Journal, "append", appending)
        monkeypatch.setattr(store.Journal, "_write", writing)
        monkeypatch.setattr(store.Journal, "release_reserve", releasing)


@pytest.mark.parametrize("kind", PLACES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("reserve", [0, 100_000], ids=["nothing kept", "space kept"])
def test_trap_27_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type, reserve: int) -> None:
    """Wherever the disk fills up: no fault without its intent, everything undone, never a pass, and the disk is named."""
    disk = FullFrom(kind, reserve=reserve)
    disk.install(monkeypatch)
    staged = Staged()
    invoked = invoke(tmp_path / "out", staged=staged)
    monkeypatch.undo()
    assert all(member.starts <= 2 for member in staged.mesh.mesh.members.values())
    record = read_record(invoked.out / "runs" / "leader-killed" / "001")
    on_disk = {event.node for _, event in record.of(ev.FaultIntended)}
    if any(isinstance(event, ev.FaultIntended) for event in disk.refused):
        assert not on_disk
        assert all(member.starts == 1 for member in staged.mesh.mesh.members.values()), "a fault came without its intent"
    assert disk.refused
    if reserve:
        verdict = check_not_a_pass(concluded(invoked.out), code=2, verdict=_verdict(invoked.out))
        assert "the disk is full" in json.dumps(verdict)
        assert str(invoked.out) in json.dumps(verdict) or "free space" in json.dumps(verdict)
        assert isinstance(record.entries[-1].event, ev.RunFinished)
        assert record.entries[-1].event.outcome == "aborted"
    else:
        assert concluded(invoked.out).code in {2, 3}


def _verdict(out: Path) -> str:
    (run,) = json.loads((out / "verdict.json").read_bytes())["runs"]
    return str(run["verdict"])


def test_trap_27_invocation_log_takes_no_half_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of the invocation's log that does not fit leaves nothing behind; what follows it can still be read."""
    log = InvocationLog(tmp_path)
    started = InvocationStarted(
        invocation="i",
        tool="t",
        file="f",
        file_digest="d",
        environment="e",
        seed=1,
        subject={},
        selection=(),
        scenarios=(),
        wall_ns=0,
    )
    log.append(started)
    before = (tmp_path / LOG).read_bytes()
    room = [10]

    def nearly_full(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: room.pop()])

    write = store.os.write
    monkeypatch.setattr("os.write", nearly_full)
    with pytest.raises(JournalUnwritable, match="No space left") as told:
        log.append(InvocationEnded(reason="done"))
    assert "free space" in told.value.hint
    monkeypatch.undo()
    assert (tmp_path / LOG).read_bytes() == before
    log.append(InvocationEnded(reason="done"))
    log.close()
    assert read_log(tmp_path) == (started, InvocationEnded(reason="done"))

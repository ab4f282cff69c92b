"""Logs in history: bounded, apart from the evidence, and nothing of them that a run did not collect."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner
from history_builder import JOURNAL, SECOND, START, evidence_of, opened, variant, written
from hypothesis import given, settings
from hypothesis import strategies as st
from log_builder import RUN, logged, with_logs
from test_history_bundles import HOSTILE, tar_of

from meshkit_chaos.cli.history_travel import export_command
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history import logs as kept_logs
from meshkit_chaos.history.bundles import collect
from meshkit_chaos.history.checking import rebuild, verify
from meshkit_chaos.history.index import History
from meshkit_chaos.history.logs import KeptFile, Logs, bundle_of_logs, collect_logs, logs_name, logs_of, pack_logs, unpack_logs
from meshkit_chaos.history.pruning import carry_out, forget_logs, old_logs, plan_prune
from meshkit_chaos.history.retention import Rules
from meshkit_chaos.history.shelf import FolderStore
from meshkit_chaos.history.travel import pull, push
from meshkit_chaos.slo import Duration

DAY = 86_400 * 10**9
BUNDLE = "runs/2026/01/01KDVDNA006AZDBMR4JV1NWV0A-0123456789abcdef.tar.gz"
TWO_LOGS = {"node-1/node-1.log": b"2026-01-01T00:00:01Z up\n", "node-2/data/server.log": b"x\n" * 9}


def held(history: History) -> Logs | None:
    """The logs of its only invocation."""
    (invocation,) = history.bundles()
    found = logs_of(history.database, history.store, invocation)
    return unpack_logs(*found) if found is not None else None


def collected(out: Path) -> Logs:
    return collect_logs(out, collect(out))


def test_logs_lie_beside_their_bundle_and_come_back(tmp_path: Path) -> None:
    """What members said comes back as it was; the bundle is the same as without the files."""
    with opened(tmp_path / "history") as history:
        added = history.add(logged(tmp_path / "out", TWO_LOGS))
        found = held(history)
        assert found is not None
        assert found.data == {f"{RUN}/logs/{name}": data for name, data in TWO_LOGS.items()}
        assert [one.member for one in found.files] == ["node-1", "node-2"]
        assert logs_name(added.bundle) in history.store.names()
        assert not verify(history).problems
        assert not rebuild(history).problems
    with opened(tmp_path / "other") as history:
        assert history.add(written(with_logs(TWO_LOGS), tmp_path / "without")).bundle == added.bundle


def test_a_run_without_logs_has_none(tmp_path: Path) -> None:
    """Nothing is written beside the bundle of a run that collected none, and that is no problem."""
    with opened(tmp_path / "history") as history:
        history.add(written(evidence_of(), tmp_path / "out"))
        assert held(history) is None
        assert not [name for name in history.store.names() if name.startswith("logs/")]
        assert not verify(history).problems


def test_the_same_logs_are_the_same_bytes(tmp_path: Path) -> None:
    """Two machines that take in the same results write the same file."""
    one, two = (pack_logs(BUNDLE, collected(logged(tmp_path / name, TWO_LOGS))) for name in ("a", "b"))
    assert one == two


def test_of_long_logs_the_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each file the last bytes from the start of a line on, and how much there was is told."""
    monkeypatch.setattr(kept_logs, "OF_FILE", 100)
    monkeypatch.setattr(kept_logs, "OF_RUN", 120)
    lines = b"".join(b"line %04d\n" % number for number in range(1000))
    found = collected(logged(tmp_path, {"a/a.log": lines, "b/b.log": lines, "c/c.log": b"short\n"}))
    assert [(one.bytes, one.kept) for one in found.files] == [(10_000, 30), (10_000, 30), (6, 6)]
    assert found.data[f"{RUN}/logs/a/a.log"] == b"line 0997\nline 0998\nline 0999\n"


def test_a_line_of_the_journal_that_is_no_text_tells_of_no_log(tmp_path: Path) -> None:
    """The reader of the record tells of the damage; the logs of which the others tell are kept."""
    out = logged(tmp_path, TWO_LOGS)
    evidence = {**collect(out)}
    evidence[JOURNAL] = evidence[JOURNAL].replace(b'"member":"node-2"', b'"member":"node-\xe6"')
    assert [one.member for one in collect_logs(out, evidence).files] == ["node-1"]


def test_a_run_that_leaked_a_secret_keeps_no_logs(tmp_path: Path) -> None:
    """Where a secret was found in the record, nothing that members said is copied, and why is told."""
    found = collected(logged(tmp_path, TWO_LOGS, leaked="logs/node-1/node-1.log"))
    assert not found.data
    assert {one.why for one in found.files} == {"a secret leaked into the record of this run"}


def test_only_what_the_journal_tells_of_is_taken(tmp_path: Path) -> None:
    """A file that no run collected, another one in its place, a link, a pipe, a folder, and names upwards are left out."""
    names = ["a/linked.log", "a/changed.log", "a/folder", "a/gone.log", "linked/a.log", "../../../x", "a/good.log"]
    out = written(with_logs(dict.fromkeys(names, b"told\n")), tmp_path / "out")
    folder = out / RUN / "logs"
    (folder / "a/folder").mkdir(parents=True)
    (folder / "b").mkdir()
    for name in ("a/good.log", "a/not-told.log", "b/a.log"):
        (folder / name).write_bytes(b"told\n")
    (tmp_path / "x").write_bytes(b"told\n")
    (folder / "a/linked.log").symlink_to(folder / "a/good.log")
    (folder / "linked").symlink_to(folder / "b")
    (folder / "a/changed.log").write_bytes(b"longer than told\n")
    found = collected(out)
    assert list(found.data) == [f"{RUN}/logs/a/good.log"]
    assert {one.name.removeprefix(f"{RUN}/logs/"): bool(one.why) for one in found.files} == {
        **dict.fromkeys(names, True),
        "a/good.log": False,
    }


BYTES = {
    "NUL": b"\0" * 900,
    "no text": bytes(range(256)) * 9,
    "no line end": b"x" * 5000,
    "ANSI": b"\x1b[2J\x1b[31mred\n",
    "none": b"",
}


@pytest.mark.parametrize("case", BYTES)
def test_any_bytes_are_kept(tmp_path: Path, case: str) -> None:
    """History does not read what members said: it keeps it."""
    logs = collected(logged(tmp_path, {"a/a.log": BYTES[case]}))
    assert unpack_logs(*pack_logs(BUNDLE, logs)) == logs
    assert logs.data[f"{RUN}/logs/a/a.log"] == BYTES[case]


def test_a_hundred_megabytes_are_not_read(tmp_path: Path) -> None:
    """Only the end of a large file is."""
    out = logged(tmp_path, {"a/a.log": b"x\n" * (50 * 2**20)})
    found = collected(out)
    assert found.files[0].bytes == 100 * 2**20
    assert kept_logs.OF_FILE - 2 <= found.files[0].kept <= kept_logs.OF_FILE


@pytest.mark.parametrize("case", HOSTILE)
def test_logs_that_we_did_not_write_are_refused(case: str) -> None:
    """Links, paths, bombs and whatever else ``pack_logs`` does not write."""
    with pytest.raises(HistoryProblem):
        unpack_logs(logs_name(BUNDLE), gzip.compress(HOSTILE[case]))


@pytest.mark.parametrize(
    "about",
    [
        b"",
        b"\xff",
        b"{}",
        b'{"version":1,"files":[]}',
        b'{"version":2,"files":[]}',
        b'{"version":1,"files":[{"name":"\xe6"}]}',
        pytest.param(b'{"version":1,"files":[{"x":' + b"[" * 9999 + b"]" * 9999 + b"}]}", id="deep"),
    ],
)
def test_logs_that_do_not_hold_what_they_say_are_refused(about: bytes) -> None:
    """Every file is told of, with its size."""
    tar = tar_of(("about.json", about, lambda _: None), (f"{RUN}/logs/a/a.log", b"x", lambda _: None))
    with pytest.raises(HistoryProblem):
        unpack_logs(logs_name(BUNDLE), gzip.compress(tar))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=2000), st.integers(0, 5000), st.integers(1, 255))
def test_any_bytes_are_logs_or_refused(junk: bytes, place: int, flip: int) -> None:
    """Junk, and good logs with one byte changed, never give anything but logs or a HistoryProblem."""
    one = KeptFile(name=f"{RUN}/logs/a/a.log", member="a", bytes=3, kept=3, truncated=False)
    name, data = pack_logs(BUNDLE, Logs(files=(one,), data={one.name: b"abc"}))
    tar = bytearray(gzip.decompress(data))
    tar[place % len(tar)] ^= flip
    for given_data in (junk, gzip.compress(junk), gzip.compress(bytes(tar))):
        with contextlib.suppress(HistoryProblem):
            found = unpack_logs(name, given_data)
            assert [len(kept) for kept in found.data.values()] == [told.kept for told in found.files if not told.why]


def test_names_of_logs_and_bundles_are_apart() -> None:
    """From each the other follows, and nothing else is the name of logs."""
    told = bundle_of_logs(logs_name(BUNDLE))
    assert told is not None
    assert told.name == BUNDLE
    assert bundle_of_logs(BUNDLE) is None
    assert bundle_of_logs("logs/x") is None
    with pytest.raises(HistoryProblem, match="is not the name of logs"):
        unpack_logs(BUNDLE, b"")


def test_logs_travel_with_their_bundle_and_altered_ones_are_refused(tmp_path: Path) -> None:
    """They are pushed and pulled once; an altered file is refused by name while its evidence is taken in."""
    remote = FolderStore(tmp_path / "remote")
    with opened(tmp_path / "a") as ours:
        ours.add(logged(tmp_path / "out", TWO_LOGS))
        assert push(ours, remote).logs == 1
        assert push(ours, remote).logs == 0
        with opened(tmp_path / "b") as theirs:
            moved = pull(theirs, remote)
            assert (moved.invocations, moved.logs, moved.refused) == (1, 1, ())
            assert held(theirs) == held(ours)
    (name,) = (name for name in remote.names() if name.startswith("logs/"))
    (tmp_path / "remote" / name).write_bytes(b"altered")
    with opened(tmp_path / "c") as theirs:
        moved = pull(theirs, remote)
        assert (moved.invocations, moved.logs, [refused for refused, _ in moved.refused]) == (1, 0, [name])


def test_logs_go_before_the_evidence_and_stay_away(tmp_path: Path) -> None:
    """Old logs are thrown away while the results stay, and a pull does not bring them back."""
    remote = FolderStore(tmp_path / "remote")
    late = ManualClock(wall_ns=START + 31 * DAY)
    with opened(tmp_path / "history", clock=late) as history:
        history.add(logged(tmp_path / "old", TWO_LOGS))
        evidence = variant(evidence_of(), 30 * 86_400)
        history.add(logged(tmp_path / "new", TWO_LOGS, evidence))
        push(history, remote)
        old = old_logs(history, Duration(30 * DAY))
        assert len(old) == 1
        assert forget_logs(history, old) == 1
        assert pull(history, remote).logs == 0
        assert len(history.invocations()) == 2
        assert len([name for name in history.store.names() if name.startswith("logs/")]) == 1
        assert not verify(history).problems


def test_logs_of_what_was_thrown_away_go_with_it(tmp_path: Path) -> None:
    """A prune leaves no logs of an invocation that it forgets, nor of an earlier state of one that it keeps."""
    rules = Rules(keep=Duration(DAY), keep_failing=Duration(DAY), keep_last=0)
    with opened(tmp_path / "history", clock=ManualClock(wall_ns=START + 9 * DAY)) as history:
        whole = with_logs(TWO_LOGS, variant(evidence_of(), 8 * 86_400))
        earlier = {**whole, JOURNAL: b"".join(whole[JOURNAL].splitlines(keepends=True)[:-1])}
        for name, evidence in (("earlier", earlier), ("whole", whole)):
            out = written(evidence, tmp_path / name)
            for log, data in TWO_LOGS.items():
                (out / RUN / "logs" / log).parent.mkdir(parents=True)
                (out / RUN / "logs" / log).write_bytes(data)
            history.add(out)
        history.add(logged(tmp_path / "old", TWO_LOGS))
        assert len([name for name in history.store.names() if name.startswith("logs/")]) == 3
        carry_out(history, [fate for fate in plan_prune(history, rules) if not fate.kept])
        (bundle,) = history.bundles().values()
        assert [name for name in history.store.names() if name.startswith("logs/")] == [logs_name(bundle)]


def test_logs_that_went_with_their_evidence_are_not_counted_again(tmp_path: Path) -> None:
    """One prune may forget an invocation and mean to forget its logs: whoever comes second finds nothing to do."""
    rules = Rules(keep=Duration(DAY), keep_failing=Duration(DAY), keep_last=0)
    with opened(tmp_path / "history", clock=ManualClock(wall_ns=START + 90 * DAY)) as history:
        history.add(logged(tmp_path / "old", TWO_LOGS))
        history.add(written(variant(evidence_of(), 80 * 86_400), tmp_path / "new"))
        old = old_logs(history, Duration(DAY))
        carry_out(history, [fate for fate in plan_prune(history, rules) if not fate.kept])
        assert len(old) == 1
        assert forget_logs(history, old) == 0


def test_altered_logs_keep_nobody_from_the_evidence(tmp_path: Path) -> None:
    """An export of a history leaves them out and says so; every invocation is there."""
    place = tmp_path / "history"
    with opened(place) as history:
        history.add(logged(tmp_path / "out", TWO_LOGS))
        (bundle,) = history.bundles().values()
    (place / "artifacts" / logs_name(bundle)).write_bytes(b"altered")
    told = CliRunner().invoke(export_command, [str(tmp_path / "results"), "--history", str(place)], standalone_mode=False)
    assert told.exception is None, told.output
    assert "its logs are left out" in told.stderr
    (results,) = (tmp_path / "results").iterdir()
    assert (results / JOURNAL).is_file()
    assert not (results / RUN / "logs").exists()


def test_taken_in_again_its_logs_are_there_again(tmp_path: Path) -> None:
    """Who still has the results folder can bring back what was thrown away, or what an earlier version left out."""
    out = logged(tmp_path / "out", TWO_LOGS)
    with opened(tmp_path / "history", clock=ManualClock(wall_ns=START + 90 * DAY + SECOND)) as history:
        history.add(out)
        forget_logs(history, old_logs(history, Duration(DAY)))
        assert held(history) is None
        assert history.add(out).how == "known"
        assert held(history) is not None

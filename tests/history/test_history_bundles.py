"""Bundles: the same bytes for the same evidence, and nothing read that this program did not write (trap 28)."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from history_builder import JOURNAL, LOG, everything, evidence_of, opened, written
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.errors import ChaosError, HistoryProblem
from meshkit_chaos.history import bundles
from meshkit_chaos.history.bundles import collect, pack, spread, unpack
from meshkit_chaos.history.evidence import digest, goes_on, is_evidence
from meshkit_chaos.history.index import derive

ULID = "01KDVDNA006AZDBMR4JV1NWV0A"
Change = Callable[[tarfile.TarInfo], None]


def named(tar: bytes) -> tuple[str, bytes]:
    """A bundle of any tar, under the name that fits it."""
    return f"runs/2026/01/{ULID}-{digest(tar)[:16]}.tar.gz", gzip.compress(tar)


def tar_of(*members: tuple[str, bytes, Change], form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data, change in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            change(member)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def kind(of: bytes, target: str = "") -> Change:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = of, target

    return change


def owned_by_somebody(member: tarfile.TarInfo) -> None:
    member.uname = "root"


def as_it_is(member: tarfile.TarInfo) -> None:
    del member


HOSTILE: dict[str, bytes] = {
    "a path upwards": tar_of(("../../etc/passwd", b"x", as_it_is)),
    "a path upwards inside": tar_of(("runs/a/001/../../../x", b"x", as_it_is)),
    "an absolute path": tar_of(("/etc/passwd", b"x", as_it_is)),
    "a symbolic link": tar_of((LOG, b"", kind(tarfile.SYMTYPE, "/etc/passwd"))),
    "a hard link": tar_of((LOG, b"", kind(tarfile.LNKTYPE, "/etc/passwd"))),
    "a device": tar_of((LOG, b"", kind(tarfile.CHRTYPE))),
    "a pipe": tar_of((LOG, b"", kind(tarfile.FIFOTYPE))),
    "a folder": tar_of(("runs", b"", kind(tarfile.DIRTYPE))),
    "a sparse file": tar_of((LOG, b"", kind(tarfile.GNUTYPE_SPARSE))),
    "another file": tar_of(("report.html", b"<script>", as_it_is)),
    "the same name twice": tar_of((LOG, b"x", as_it_is), (LOG, b"y", as_it_is)),
    "names out of order": tar_of(("runs/a/001/journal.jsonl", b"x", as_it_is), (LOG, b"y", as_it_is)),
    "an owner": tar_of((LOG, b"x", owned_by_somebody)),
    "extended headers": tar_of(("runs/a/001/" + "x" * 300, b"x", as_it_is), form=tarfile.PAX_FORMAT),
    "bytes behind the end": tar_of((LOG, b"x", as_it_is)) + b"more",
    "no archive": b"no archive at all",
    "nothing": b"",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_we_did_not_write_is_refused(case: str) -> None:
    """A bundle that our packing cannot have made is refused, although its digest fits its name."""
    name, data = named(HOSTILE[case])
    with pytest.raises(HistoryProblem, match="the bundle runs/2026"):
        unpack(name, data)


def test_evidence_comes_back_as_it_was(tmp_path: Path) -> None:
    """Packing and unpacking gives the same evidence; spread out, the same results folder."""
    evidence = evidence_of()
    name, data = pack(evidence, invocation=ULID, wall_ns=0)
    assert unpack(name, data) == evidence
    spread(evidence, tmp_path)
    assert collect(tmp_path) == evidence


def test_the_name_does_not_depend_on_who_compressed() -> None:
    """Another compressor gives other bytes and the same name."""
    evidence = evidence_of()
    name, data = pack(evidence, invocation=ULID, wall_ns=0)
    tar = gzip.decompress(data)
    assert named(tar)[0].rpartition("/")[2] == name.rpartition("/")[2]
    assert unpack(name, gzip.compress(tar, compresslevel=1)) == evidence


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-9],
    "longer": lambda data: data + b"x",
    "altered": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "empty": lambda _: b"",
    "twice": lambda data: data * 2,
}


@pytest.mark.parametrize("case", SPOILT)
def test_an_altered_bundle_is_refused(case: str) -> None:
    """One byte less, more or other, and nothing of it is used."""
    name, data = pack(evidence_of(), invocation=ULID, wall_ns=0)
    with pytest.raises(HistoryProblem):
        unpack(name, SPOILT[case](data))


def test_a_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 26: a small file that unpacks to more than the limit is refused at the limit."""
    monkeypatch.setattr(bundles, "LARGEST", 2**20)
    monkeypatch.setattr(bundles, "MOST_FILES", 10)
    tar = tar_of((LOG, bytes(2**26), as_it_is))
    with pytest.raises(HistoryProblem, match="holds more than 1048576 bytes"):
        unpack(*named(tar))


def test_a_bundle_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    """The name's invocation and month must be those of the log inside."""
    evidence = evidence_of()
    name, data = pack(evidence, invocation=ULID, wall_ns=0)
    with opened(tmp_path / "history") as history:
        with pytest.raises(HistoryProblem, match="its name should be"):
            history.add_bundle(name, data)
        for wrong in ("../x", "runs/2026/01/x.tar.gz", name.upper(), f"/{name}"):
            with pytest.raises(HistoryProblem, match="is not the name of a bundle"):
                unpack(wrong, data)
        assert not history.store.names()


def test_only_evidence_is_collected(tmp_path: Path) -> None:
    """Logs, derived documents and whatever else lies in a results folder are left out."""
    out = written(evidence_of(), tmp_path / "out")
    for name in ("verdict.json", "runs/leader-killed/001/logs/node-1.log", "runs/leader-killed/001/samples/notes"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("x")
    assert collect(out) == evidence_of()


NAMES = st.sampled_from([LOG, JOURNAL, "runs/a/001/journal.jsonl", f"runs/a/001/samples/{'0' * 32}"])
EVIDENCE = st.dictionaries(NAMES, st.binary(max_size=600), max_size=4)


@settings(deadline=None)
@given(EVIDENCE)
def test_packing_is_lossless_for_any_content(evidence: dict[str, bytes]) -> None:
    """Whatever the files hold, they come back, and the same files give the same bytes."""
    name, data = pack(evidence, invocation=ULID, wall_ns=0)
    assert unpack(name, data) == evidence
    assert pack(dict(reversed(evidence.items())), invocation=ULID, wall_ns=0) == (name, data)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=2000), st.integers(0, 5000), st.integers(1, 255), st.booleans())
def test_any_bytes_are_a_bundle_or_refused(junk: bytes, place: int, flip: int, refit: bool) -> None:
    """Junk, and a good bundle with one byte changed, never give anything but evidence or a HistoryProblem."""
    _, data = pack({LOG: b"{}\n", JOURNAL: b"x" * 700}, invocation=ULID, wall_ns=0)
    tar = bytearray(gzip.decompress(data))
    tar[place % len(tar)] ^= flip
    for name, given_data in (
        named(bytes(tar)),
        named(junk),
        (f"runs/2026/01/{ULID}-{'0' * 16}.tar.gz", junk if refit else data),
    ):
        try:
            evidence = unpack(name, given_data)
        except HistoryProblem:
            continue
        assert all(is_evidence(inside) for inside in evidence)


@given(EVIDENCE, st.binary(max_size=50))
def test_going_on_is_an_order(evidence: dict[str, bytes], more: bytes) -> None:
    """Every state goes on from itself; a longer log goes on from a shorter one, and not the other way round."""
    assert goes_on(evidence, evidence)
    assert goes_on({}, evidence)
    if LOG in evidence and evidence[LOG].endswith(b"\n"):
        longer = {**evidence, LOG: evidence[LOG] + more + b"\n"}
        assert goes_on(evidence, longer)
        assert not goes_on(longer, evidence)


CHANGED: dict[str, tuple[str, bytes, bytes]] = {
    "a time beyond all years": (LOG, rb'"wall_ns":\d+', b'"wall_ns":%d' % 10**30),
    "a time before all years": (LOG, rb'"wall_ns":\d+', b'"wall_ns":-%d' % 10**19),
    "a seed of a hundred digits": (JOURNAL, rb'"seed":\d+', b'"seed":1%s' % (b"0" * 100)),
    "a NUL in the subject": (LOG, rb'"version":"1"', rb'"version":"\\u0000"'),
    "a lone surrogate": (LOG, rb'"version":"1"', rb'"version":"\\ud800"'),
    "an invocation that is no ULID": (LOG, rb'"invocation":"\w+"', b'"invocation":"../../x"'),
    "a scenario announced twice": (LOG, rb'"scenarios":\[(.*?\})\]', rb'"scenarios":[\1,\1]'),
    "a run outside of its folder": (LOG, rb'"folder":"[^"]+"', b'"folder":"../../../etc"'),
    "an absolute folder": (LOG, rb'"folder":"[^"]+"', b'"folder":"/etc"'),
    "an end before the beginning": (JOURNAL, rb'"seq":1,"t":\d+', b'"seq":1,"t":-%d' % 10**25),
    "a log of something else": (LOG, rb"^", b'{"kind":"run.ended"}\n'),
}


@pytest.mark.parametrize("case", CHANGED)
def test_an_impossible_record_is_refused_or_no_pass(tmp_path: Path, case: str) -> None:
    """A record that no run of ours wrote is refused or is no pass; it never ends in a crash."""
    name, old, new = CHANGED[case]
    evidence = evidence_of()
    changed = {**evidence, name: re.sub(old, new, evidence[name], count=1)}
    assert changed != evidence
    with opened(tmp_path / "history") as history:
        try:
            history.add(written(changed, tmp_path / "out"))
        except ChaosError as error:
            assert error.message  # noqa: PT017  # a refusal is one of two right ends
        assert [one.verdict for one in everything(history) if one.verdict == "pass"] == []


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([LOG, JOURNAL]), st.integers(0, 10**6), st.binary(min_size=1, max_size=3), st.integers(0, 40))
def test_any_change_to_a_record_is_borne(name: str, place: int, junk: bytes, gone: int) -> None:
    """Bytes replaced anywhere in a log or a journal: values are derived, or it is refused; nothing else happens."""
    evidence = evidence_of()
    at = place % len(evidence[name])
    changed = evidence[name][:at] + junk + evidence[name][at + gone :]
    with contextlib.suppress(ChaosError):
        derive({**evidence, name: changed})

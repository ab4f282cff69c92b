"""Judging again: the same record gives the same bytes, and what-ifs are marked and written nowhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from command_lines import command, write_documents
from virtual_runs import document, invoke, scenario_text

SLOWER = "[{converge: one-leader, within: 1s}]"


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_judging_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """``judge`` and ``report`` change no byte of what ``run`` wrote."""
    out = invoke(tmp_path / "out").out
    before = files(out)
    assert command("judge", out).code == 0
    assert files(out) == before
    assert command("report", out).code == 0
    assert files(out) == before


def test_derived_files_come_back(tmp_path: Path) -> None:
    """Deleting everything derived loses nothing: it is written again, byte for byte."""
    out = invoke(tmp_path / "out").out
    before = files(out)
    for name in before:
        if ("runs/" not in name and name != "invocation.jsonl") or name.endswith("verdict.json"):
            (out / name).unlink()
    assert command("report", out).code == 0
    assert command("judge", out).code == 0
    assert files(out) == before


def test_a_record_can_be_judged_elsewhere(tmp_path: Path) -> None:
    """A record that was moved gives the same verdict: there is no path in it that matters."""
    out = invoke(tmp_path / "out").out
    said = command("judge", out, "--format", "json").out
    shutil.move(out, tmp_path / "elsewhere")
    assert command("judge", tmp_path / "elsewhere", "--format", "json").out == said
    assert str(tmp_path) not in said


def test_verdicts_hold_no_clock_of_judging(tmp_path: Path) -> None:
    """Two judgements of one record are equal, however far apart."""
    run = invoke(tmp_path / "out").out / "runs" / "leader-killed" / "001"
    assert command("judge", run, "--format", "json").out == command("judge", run, "--format", "json").out


def test_a_what_if_is_marked_and_not_written(tmp_path: Path) -> None:
    """With other thresholds the result is marked, says what they would have given, and changes no file."""
    out = invoke(tmp_path / "out").out
    before = files(out)
    changed = write_documents(tmp_path / "changed", document(scenario_text(objectives=SLOWER)))
    for place in (out, out / "runs" / "leader-killed" / "001"):
        ended = command("judge", place, "--file", changed, "--format", "json")
        assert ended.code == 1
        assert json.loads(ended.out)["what_if"] is True
        assert json.loads(ended.out)["verdict"] == "fail"
        assert files(out) == before
    assert "what if" in command("judge", out / "runs" / "leader-killed" / "001", "--file", changed).out.lower()


def test_the_same_thresholds_are_no_what_if(tmp_path: Path) -> None:
    """A file that says what was run, with another title, is no what-if."""
    out = invoke(tmp_path / "out").out
    same = write_documents(tmp_path / "same", document(scenario_text().replace("title: A killed", "title: Some killed")))
    ended = command("judge", out, "--file", same, "--format", "json")
    assert ended.code == 0
    assert json.loads(ended.out)["what_if"] is False


def test_a_file_without_the_scenario_is_refused_for_a_run(tmp_path: Path) -> None:
    """A what-if needs the scenario that was run."""
    run = invoke(tmp_path / "out").out / "runs" / "leader-killed" / "001"
    other = write_documents(tmp_path / "other", document(scenario_text().replace("id: leader-killed", "id: other")))
    ended = command("judge", run, "--file", other)
    assert ended.code == 4
    assert "'leader-killed'" in ended.err


def test_a_link_in_a_record_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Trap 28: results that came from elsewhere may hold links; judging and reporting write nothing outside of them."""
    out = invoke(tmp_path / "out").out
    before = files(out)
    precious = tmp_path / "precious"
    precious.write_text("mine", encoding="utf-8")
    derived = [name for name in before if name.endswith(("verdict.json", "junit.xml", "summary.md", "report.html"))]
    assert len(derived) == 5
    for name in derived:
        (out / name).unlink()
        (out / name).symlink_to(precious)
    assert command("judge", out).code == 0
    assert command("report", out).code == 0
    assert precious.read_text(encoding="utf-8") == "mine"
    assert files(out) == before
    assert not any((out / name).is_symlink() for name in derived)


def test_what_a_record_calls_itself_is_no_path(tmp_path: Path) -> None:
    """Trap 28: a journal whose scenario is called ``../..`` moves no file: a verdict lies beside its journal."""
    out = invoke(tmp_path / "out").out
    journal = out / "runs" / "leader-killed" / "001" / "journal.jsonl"
    (tmp_path / "elsewhere" / "001").mkdir(parents=True)
    journal.write_bytes(journal.read_bytes().replace(b'"id":"leader-killed"', b'"id":"../../elsewhere"', 1))
    command("judge", out)
    assert list((tmp_path / "elsewhere" / "001").iterdir()) == []


def test_a_record_without_its_beginning_is_still_that_of_its_run(tmp_path: Path) -> None:
    """An empty journal is an invalid run of the scenario that was announced, not a run of another one without a name."""
    out = invoke(tmp_path / "out").out
    (out / "runs" / "leader-killed" / "001" / "journal.jsonl").write_bytes(b"")
    ended = command("judge", out, "--format", "json")
    assert ended.code == 2
    assert [one["scenario"] for one in ended.data["scenarios"]] == ["leader-killed"]
    assert [(one["scenario"], one["verdict"], one["repeat"]) for one in ended.data["runs"]] == [("leader-killed", "invalid", 1)]


def test_documents_that_cannot_be_written_do_not_hide_the_verdict(tmp_path: Path) -> None:
    """Where a document's place is taken, that is said, and the exit code is the verdict's."""
    out = invoke(tmp_path / "out").out
    for name in ("verdict.json", "report.html", "runs/leader-killed/001/verdict.json"):
        (out / name).unlink()
        (out / name).mkdir()
    assert command("judge", out).code == 0
    ended = command("report", out)
    assert ended.code == 0
    assert "report.html could not be written" in ended.err

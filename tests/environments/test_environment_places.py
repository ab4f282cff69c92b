"""What environments keep on disk and how their texts are filled: templates, state folders, registry, ports, logs."""

from __future__ import annotations

import contextlib
import os
import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_runs import described

from meshkit_chaos.environments import state as env_state
from meshkit_chaos.environments.logs import collect_logs
from meshkit_chaos.environments.registry import environment_folder, registered
from meshkit_chaos.environments.resolving import free_ports, merged_vars, resolve_members
from meshkit_chaos.environments.state import (
    EnvironmentState,
    MemberSpec,
    Quarantine,
    lift_quarantine,
    load_state,
    quarantine,
    quarantined,
    save_state,
    take_lease,
)
from meshkit_chaos.environments.templates import render, render_check
from meshkit_chaos.errors import EnvironmentBusy, EnvironmentProblem, UsageError
from meshkit_chaos.journal.events import LogCollected, ProblemNoted
from meshkit_chaos.slo import CommandCheck, HttpCheck, TcpCheck

LAB = """
version: 1
name: lab
kind: process
vars: {extra: none}
members: {count: 3, name: "node-${index}"}
ports: [client, peer]
command: [sleep, "${member.port.client}", "${joined.all}", "${var.extra}", "${member.index}"]
joined:
  all: {item: "${member.name}=${member.host}:${member.port.peer}", separator: ";"}
logs: [data/extra.log]
"""


def test_templates_are_filled() -> None:
    """Every ``${name}`` is replaced, and a value is not read as a template again."""
    assert render("a ${x}-${ y } $z {w}", {"x": "${y}", "y": "2"}) == "a ${y}-2 $z {w}"


def test_an_unknown_template_is_an_error_with_the_nearest_name() -> None:
    """A misspelt template never becomes an empty text."""
    with pytest.raises(EnvironmentProblem, match=r"unknown template \$\{member.hots\}") as told:
        render("http://${member.hots}/", {"member.host": "h", "var.x": "1"})
    assert "member.host" in told.value.hint


@given(st.text(alphabet=string.ascii_letters + string.digits + " ./:${}", max_size=30))
def test_rendering_survives_any_text(text: str) -> None:
    """Any text is either filled or refused by name."""
    with contextlib.suppress(EnvironmentProblem):
        render(text, {"a": "1"})


def test_every_text_of_a_check_is_filled() -> None:
    """Address, body, headers and argument lists are filled alike."""
    values = {"h": "host", "p": "80"}
    http = render_check(HttpCheck(url="http://${h}:${p}/", body="${h}", headers={"X": "${p}"}, path="a", equals="${h}"), values)
    assert http == HttpCheck(url="http://host:80/", body="host", headers={"X": "80"}, path="a", equals="host")
    assert render_check(HttpCheck(url="u", path="a", equals=True), values) == HttpCheck(url="u", path="a", equals=True)
    assert render_check(TcpCheck(address="${h}:${p}"), values) == TcpCheck(address="host:80")
    talk = render_check(TcpCheck(address="${h}:${p}", send="${h}?", expect="${p}!", until="${h}."), values)
    assert talk == TcpCheck(address="host:80", send="host?", expect="80!", until="host.")
    assert render_check(CommandCheck(argv=("ping", "${h}")), values) == CommandCheck(argv=("ping", "host"))


def test_members_are_resolved(tmp_path: Path) -> None:
    """Each member has its own ports, folder and number, and all know the same text about all."""
    members = resolve_members(
        described(LAB), marker="M", given={"extra": "more"}, data=str(tmp_path), seen={"PATH": "/bin", "TOKEN": "s3cret"}
    )
    ports = [port for member in members for name, port in member.values.items() if name.startswith("member.port.")]
    assert len(set(ports)) == len(ports) == 6
    assert len({member.argv[2] for member in members}) == 1
    assert members[0].argv[2].count(";") == 2
    assert [member.argv[3:] for member in members] == [("more", "1"), ("more", "2"), ("more", "3")]
    assert Path(members[0].argv[0]).is_absolute()
    assert len({member.folder for member in members}) == 3
    assert all("TOKEN" not in member.env for member in members)


def test_an_unknown_variable_is_refused() -> None:
    """``--var`` for a name that the environment does not have says which it has."""
    with pytest.raises(UsageError, match="has no such variable") as told:
        merged_vars(described(LAB), {"extr": "1"})
    assert "extra" in told.value.hint


def test_ports_are_different_and_can_be_bound() -> None:
    """Ports drawn at once never meet."""
    ports = free_ports(60)
    assert len(set(ports)) == 60
    with pytest.raises(EnvironmentProblem, match="no 99999 free ports"):
        free_ports(99_999)


def state_in(folder: Path) -> EnvironmentState:
    members = tuple(
        MemberSpec(
            name=f"node-{number}",
            argv=("/bin/sleep", "1"),
            env={},
            folder=str(folder / "data" / f"node-{number}"),
            log=str(folder / "data" / f"node-{number}" / f"node-{number}.log"),
            values={},
        )
        for number in (1, 2)
    )
    return EnvironmentState(
        id="lab",
        marker="0" * 26,
        owner=os.getuid(),
        boot="b",
        data=str(folder / "data"),
        description=described(LAB),
        members=members,
    )


def test_a_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """What starts a member again is kept whole, and there is nothing where nothing was saved."""
    assert load_state(tmp_path / "none") is None
    save_state(tmp_path / "lab", state_in(tmp_path))
    assert load_state(tmp_path / "lab") == state_in(tmp_path)
    assert (tmp_path / "lab").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("which", ["folder", "file"])
def test_a_state_that_others_could_have_written_is_refused(tmp_path: Path, mode: int, which: str) -> None:
    """A folder or a file that others may write could make us start anything: it is not acted upon."""
    save_state(tmp_path / "lab", state_in(tmp_path))
    place = tmp_path / "lab" / env_state.STATE if which == "file" else tmp_path / "lab"
    place.chmod(mode | (0o700 if which == "folder" else 0))
    with pytest.raises(EnvironmentProblem, match="could have been written by somebody else"):
        load_state(tmp_path / "lab")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_state_of_another_user_is_refused(tmp_path: Path) -> None:
    """What belongs to another user is not acted upon, whatever it says."""
    save_state(tmp_path / "lab", state_in(tmp_path))
    os.chown(tmp_path / "lab" / env_state.STATE, 12345, 12345)
    with pytest.raises(EnvironmentProblem, match="owner 12345"):
        load_state(tmp_path / "lab")


@pytest.mark.parametrize("which", ["folder", "file"])
def test_a_state_behind_a_link_is_refused(tmp_path: Path, which: str) -> None:
    """A link could lead to what another user wrote."""
    save_state(tmp_path / "real", state_in(tmp_path))
    if which == "folder":
        (tmp_path / "lab").symlink_to(tmp_path / "real")
    else:
        (tmp_path / "lab").mkdir(mode=0o700)
        (tmp_path / "lab" / env_state.STATE).symlink_to(tmp_path / "real" / env_state.STATE)
    with pytest.raises(EnvironmentProblem):
        load_state(tmp_path / "lab")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff"])
def test_a_damaged_state_is_said(tmp_path: Path, data: bytes) -> None:
    """A state that cannot be read is named as such; nothing is guessed."""
    save_state(tmp_path / "lab", state_in(tmp_path))
    (tmp_path / "lab" / env_state.STATE).write_bytes(data)
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        load_state(tmp_path / "lab")


def test_a_lease_is_held_by_one(tmp_path: Path) -> None:
    """A held environment is refused with who holds it and what to do; once let go it can be taken."""
    held = take_lease(tmp_path / "lab", holder="run 7")
    with pytest.raises(EnvironmentBusy, match="is held by run 7") as told:
        take_lease(tmp_path / "lab", holder="run 8")
    assert "--wait" in told.value.hint
    os.close(held)
    os.close(take_lease(tmp_path / "lab", holder="run 8"))


def test_quarantine_is_kept_and_lifted(tmp_path: Path) -> None:
    """A dirty environment says why until it is lifted; a quarantine that cannot be read is one all the same."""
    why = Quarantine(run="/out/run", differences=("node-1 is down",))
    quarantine(tmp_path / "lab", why)
    assert quarantined(tmp_path / "lab") == why
    (tmp_path / "lab" / env_state.QUARANTINE).write_bytes(b"{")
    found = quarantined(tmp_path / "lab")
    assert found is not None
    assert "cannot be read" in found.differences[0]
    lift_quarantine(tmp_path / "lab")
    lift_quarantine(tmp_path / "lab")
    assert quarantined(tmp_path / "lab") is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "Lab", "-x", "x" * 65, "a b", "/etc", "a\0b"])
def test_an_id_is_never_a_path(name: str) -> None:
    """What could lead out of the state folder is no environment id."""
    with pytest.raises(UsageError, match="is not an environment id"):
        environment_folder(name)


def test_the_registry_lists_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every environment that has a folder is listed in order; files and strange names are not."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path))
    assert registered() == ()
    for name in ("lab-2", "lab-1", "Strange"):
        (tmp_path / "environments" / name).mkdir(parents=True)
    (tmp_path / "environments" / "file").touch()
    assert registered() == ("lab-1", "lab-2")
    assert environment_folder("lab-1") == tmp_path / "environments" / "lab-1"


def logs_of(tmp_path: Path, *logs: str) -> list[LogCollected | ProblemNoted]:
    state = state_in(tmp_path)
    state = msgspec.structs.replace(state, description=msgspec.structs.replace(state.description, logs=logs))
    for member in state.members:
        Path(member.folder).mkdir(parents=True)
        Path(member.log).write_text(f"{member.name} was here\n")
    (tmp_path / "outside.log").write_text("not yours")
    (tmp_path / "data" / "node-1" / "link.log").symlink_to(tmp_path / "outside.log")
    (tmp_path / "data" / "node-1" / "up").symlink_to(tmp_path)
    return collect_logs(state, tmp_path / "logs")


def test_logs_are_kept(tmp_path: Path) -> None:
    """Each member's output and extra logs are copied below its name; one that is not there is no problem."""
    facts = logs_of(tmp_path, "data/extra.log")
    assert [fact.path for fact in facts if isinstance(fact, LogCollected)] == [
        "logs/node-1/node-1.log",
        "logs/node-2/node-2.log",
    ]
    assert (tmp_path / "logs" / "node-1" / "node-1.log").read_text() == "node-1 was here\n"


@pytest.mark.parametrize("escape", ["../../outside.log", "link.log", "up/outside.log", "{outside}"])
def test_trap_28_logs_that_escape_are_refused(tmp_path: Path, escape: str) -> None:
    """A log that leads out of its member's folder, by ``..``, a link or an absolute path, is refused and said."""
    escape = escape.replace("{outside}", str(tmp_path / "outside.log"))
    facts = logs_of(tmp_path, escape)
    refused = [fact for fact in facts if isinstance(fact, ProblemNoted)]
    assert refused
    assert "refused" in refused[0].message
    copied = [path.read_text() for path in (tmp_path / "logs").rglob("*") if path.is_file()]
    assert "not yours" not in copied


def test_long_logs_are_cut_to_their_end(tmp_path: Path) -> None:
    """Of a log that is too long the end is kept, and that it was cut is said."""
    state = state_in(tmp_path)
    Path(state.members[0].folder).mkdir(parents=True)
    Path(state.members[0].log).write_bytes(b"x" * (6 * 2**20) + b"the end")
    (fact,) = collect_logs(state, tmp_path / "logs")
    assert isinstance(fact, LogCollected)
    assert fact.truncated
    kept = (tmp_path / "logs" / "node-1" / "node-1.log").read_bytes()
    assert len(kept) == fact.bytes == 5 * 2**20
    assert kept.endswith(b"the end")

"""Histories between machines: a folder, and a branch of a git repository with pushers at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from history_builder import SECOND, START, crashed, everything, evidence_of, opened, variant, written

from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history.branch import GitBranch
from meshkit_chaos.history.places import opened_shelf
from meshkit_chaos.history.shelf import FolderStore
from meshkit_chaos.history.travel import Moved, pull, push

GIT_HOME = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *arguments: str) -> str:
    named = ("-c", "user.name=Jo", "-c", "user.email=jo@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *named, *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    ).stdout


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in GIT_HOME.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "remote.git").mkdir()
    git(tmp_path / "remote.git", "init", "--bare", "--quiet")
    return f"git:{tmp_path / 'remote.git'}"


def filled(folder: Path, *numbers: int) -> Path:
    """A history of that many invocations."""
    with opened(folder) as history:
        for number in numbers:
            history.add(written(variant(evidence_of(), number), folder / f"out-{number}"))
    return folder


def pushed(folder: Path, remote: str) -> Moved:
    with opened(folder) as history, opened_shelf(remote) as shelf:
        return push(history, shelf)


def pulled(folder: Path, remote: str) -> Moved:
    with opened(folder) as history, opened_shelf(remote) as shelf:
        return pull(history, shelf)


@pytest.mark.parametrize("kind", ["folder", "git"])
def test_a_history_arrives_whole(tmp_path: Path, remote: str, kind: str) -> None:
    """What was pushed and pulled says the same on the other machine, marks included; a second time moves nothing."""
    place = remote if kind == "git" else str(tmp_path / "share")
    with opened(filled(tmp_path / "here", 1, 2)) as here:
        here.mark(everything(here)[0].runs[0].run, counts=False, reason="bad lab", by="jo")
        said = everything(here)
    assert pulled(tmp_path / "there", place) == Moved()
    assert pushed(tmp_path / "here", place) == Moved(invocations=2, marks=1)
    assert pushed(tmp_path / "here", place) == Moved()
    assert pulled(tmp_path / "there", place) == Moved(invocations=2, marks=1)
    assert pulled(tmp_path / "there", place) == Moved()
    with opened(tmp_path / "there") as there:
        assert everything(there) == said


@pytest.mark.parametrize("kind", ["folder", "git"])
def test_two_histories_become_one(tmp_path: Path, remote: str, kind: str) -> None:
    """Two machines that push and pull in turns know the same in the end."""
    place = remote if kind == "git" else str(tmp_path / "share")
    for name, number in (("here", 1), ("there", 2)):
        pushed(filled(tmp_path / name, number), place)
    for name in ("here", "there"):
        pulled(tmp_path / name, place)
    with opened(tmp_path / "here") as here, opened(tmp_path / "there") as there:
        assert everything(here) == everything(there)
        assert len(here.invocations()) == 2


def test_a_run_that_grew_travels(tmp_path: Path, remote: str) -> None:
    """A recovered run replaces, on the other machine, the crashed one that was pulled before."""
    whole = evidence_of()
    for state in (crashed(whole), whole):
        with opened(tmp_path / "here") as here:
            here.add(written(state, tmp_path / f"out-{len(state[next(iter(state))])}"))
        pushed(tmp_path / "here", remote)
        pulled(tmp_path / "there", remote)
    with opened(tmp_path / "there") as there:
        assert [one.verdict for one in everything(there)] == ["pass"]


def test_a_pull_may_be_bounded(tmp_path: Path) -> None:
    """Of three invocations those that began at the given instant or later are taken in; a later pull takes the rest."""
    pushed(filled(tmp_path / "here", 1, 2, 3), str(tmp_path / "share"))
    with opened(tmp_path / "there") as there, opened_shelf(str(tmp_path / "share")) as shelf:
        assert pull(there, shelf, since=START + 2 * SECOND) == Moved(invocations=2)
        assert min(one.at for one in there.invocations()) == START + 2 * SECOND
        assert pull(there, shelf) == Moved(invocations=1)


def test_an_altered_bundle_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Of three bundles in a shared folder one was altered: it is named, the other two arrive, and it is refused again later."""
    pushed(filled(tmp_path / "here", 1, 2, 3), str(tmp_path / "share"))
    altered = sorted((tmp_path / "share").rglob("*.tar.gz"))[1]
    altered.write_bytes(altered.read_bytes()[:-20] + bytes(20))
    for arrived in (2, 0):
        moved = pulled(tmp_path / "there", str(tmp_path / "share"))
        assert moved.invocations == arrived
        assert [name.rpartition("/")[2] for name, _ in moved.refused] == [altered.name]


def test_what_else_lies_in_a_remote_is_left_alone(tmp_path: Path) -> None:
    """Other files, links and names that lead elsewhere are no bundles."""
    pushed(filled(tmp_path / "here", 1), str(tmp_path / "share"))
    good = next((tmp_path / "share").rglob("*.tar.gz"))
    (good.parent / "notes.txt").write_text("x")
    (good.parent / good.name.replace("01", "02", 1)).symlink_to("/etc/passwd")
    assert pulled(tmp_path / "there", str(tmp_path / "share")) == Moved(invocations=1)


def test_a_branch_survives_pushers_at_the_same_time(tmp_path: Path, remote: str) -> None:
    """Four that push at once all arrive: each puts its own on top of what others pushed, and nothing is forced."""
    folders = [filled(tmp_path / f"job-{number}", number) for number in range(4)]
    with ThreadPoolExecutor(4) as crowd:
        moved = list(crowd.map(lambda folder: pushed(folder, remote), folders))
    assert moved == [Moved(invocations=1)] * 4
    assert pulled(tmp_path / "there", remote) == Moved(invocations=4)
    commits = git(tmp_path / "remote.git", "rev-list", "--parents", "chaos-history").splitlines()
    assert sorted(len(line.split()) for line in commits) == [1, 2, 2, 2], "one line of commits, nothing merged or lost"


def test_a_push_does_not_fetch_what_is_there(tmp_path: Path, remote: str) -> None:
    """Where the server can leave contents out, a push to a large history takes its names only; a pull takes everything."""
    git(tmp_path / "remote.git", "config", "uploadpack.allowFilter", "true")
    served = remote.replace("git:", "git:file://")
    pushed(filled(tmp_path / "first", 1, 2, 3), served)
    with opened(filled(tmp_path / "second", 4)) as history, opened_shelf(served) as shelf:
        assert isinstance(shelf, GitBranch)
        assert push(history, shelf) == Moved(invocations=1)
        objects = git(shelf._scratch / "names", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
        assert objects.count("blob") == 2, "the read-me, and what was pushed"
    assert pulled(tmp_path / "there", served) == Moved(invocations=4)


def test_the_users_repository_is_not_touched(tmp_path: Path, remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push by the name of a remote leaves work tree, index, branches and the rest of the user's repository as they were."""
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    git(work, "remote", "add", "origin", remote.removeprefix("git:"))
    (work / "tracked").write_text("1")
    git(work, "add", "tracked")
    git(work, "commit", "--quiet", "--message", "first")
    (work / "tracked").write_text("2")
    (work / "staged").write_text("3")
    git(work, "add", "staged")
    monkeypatch.chdir(work)
    before = {path: path.read_bytes() for path in sorted(work.rglob("*")) if path.is_file()}
    assert pushed(filled(tmp_path / "here", 1), "git:origin#kept/chaos") == Moved(invocations=1)
    assert {path: path.read_bytes() for path in sorted(work.rglob("*")) if path.is_file()} == before
    assert git(tmp_path / "remote.git", "branch", "--list", "--format=%(refname:short)").split() == ["kept/chaos"]


def test_a_checkouts_token_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header that a CI's checkout leaves in its configuration reaches our git, once, and no file of ours."""
    for name, value in GIT_HOME.items():
        monkeypatch.setenv(name, value)
    git(tmp_path, "init", "--quiet", "work")
    git(tmp_path / "work", "config", "http.https://example.org/.extraheader", "AUTHORIZATION: basic c2VjcmV0")
    git(tmp_path / "work", "remote", "add", "origin", "https://example.org/mesh.git")
    monkeypatch.chdir(tmp_path / "work")
    with opened_shelf("git:origin") as shelf:
        assert isinstance(shelf, GitBranch)
        told = shelf._git.word("config", "--get-all", "http.https://example.org/.extraheader")
        assert told == "AUTHORIZATION: basic c2VjcmV0"
        assert shelf._git.word("config", "remote.there.url") == "https://example.org/mesh.git"
        written = [path for path in shelf._scratch.rglob("*") if path.is_file() and b"c2VjcmV0" in path.read_bytes()]
        assert written == []


def test_a_branch_of_source_code_is_refused(tmp_path: Path, remote: str) -> None:
    """A branch that holds something else is neither pushed to nor pulled from."""
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    (work / "README.md").write_text("source code")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "first")
    git(work, "push", "--quiet", remote.removeprefix("git:"), "HEAD:main")
    for move in (pushed, pulled):
        with pytest.raises(HistoryProblem, match="holds something else than a history"):
            move(filled(tmp_path / move.__name__, 1), f"{remote}#main")


def test_gits_refusal_is_told(tmp_path: Path, remote: str) -> None:
    """No such repository, and a server that declines, are told in git's own words, without a password."""
    here = filled(tmp_path / "here", 1)
    with pytest.raises(HistoryProblem, match="does not appear to be a git repository"):
        pushed(here, f"git:{tmp_path / 'nowhere.git'}")
    hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'history is closed today' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(HistoryProblem, match="history is closed today"):
        pushed(here, remote)
    with pytest.raises(HistoryProblem) as told:
        pulled(here, "git:http://jo:hunter2@127.0.0.1:9/x.git")
    assert "hunter2" not in told.value.message


@pytest.mark.parametrize(
    "place", ["git:", "git:#x", "git:--upload-pack=x", "git:x#a b", "git:x#-d", "ftp://x", "s3://", "gti:x#y", "s3:bucket"]
)
def test_what_is_no_place_is_refused(place: str) -> None:
    """Nothing that git would take for an option gets to it, and a misspelt kind of place does not become a folder."""
    with pytest.raises(UsageError), opened_shelf(place):
        pass


def test_a_link_inside_a_store_leads_nowhere(tmp_path: Path) -> None:
    """Trap 28: a folder that is a link out of the store is not written through, and a file that is one is not read."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "runs").symlink_to(tmp_path / "outside")
    (tmp_path / "store" / "x").symlink_to("/etc/passwd")
    store = FolderStore(tmp_path / "store")
    (tmp_path / "outside" / "a").write_text("x")
    with pytest.raises(HistoryProblem, match="leads out of"):
        store.add({"runs/2026/a": b"x"})
    with pytest.raises(HistoryProblem, match="leads out of"):
        store.read("runs/a")
    with pytest.raises(HistoryProblem, match="cannot be read"):
        store.read("x")
    for name in ("../x", "/x", "a/../x", "", "a//b", "a/.hidden"):
        with pytest.raises(HistoryProblem, match="no name"):
            store.read(name)
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["a"]
    assert store.names() == frozenset()


def test_a_push_needs_nothing_but_the_command(tmp_path: Path, remote: str) -> None:
    """The shipped command does it in a process of its own, from a folder that is no repository."""
    filled(tmp_path / "here", 1)
    arguments = ["history", "push", remote, "--history", str(tmp_path / "here")]
    done = subprocess.run(
        [sys.executable, "-m", "meshkit_chaos", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 invocation and 0 marks pushed to git:")

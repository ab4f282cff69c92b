"""A binary is run exactly as it was verified: whatever is put in its place, before or after, is not."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from native_files import elf

from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.placing import open_placed, place, placed_at
from meshkit_chaos.native.verify import host_platform

pytestmark = pytest.mark.skipif(host_platform() != "linux-x64", reason="needs Linux on x86-64: the programs are made for it")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    file = tmp_path / "mesh"
    file.write_bytes(elf())
    return file


def placed(built: Path, data: Path, *, digest: str = "") -> tuple[Path, BinaryFacts]:
    data.mkdir(mode=0o700, exist_ok=True)
    copy = placed_at(str(data), "mesh")
    return copy, place(built, copy, name="mesh", demand="required", wanted="linux-x64", digest=digest)


def executed(copy: Path, facts: BinaryFacts, *, meanwhile: Callable[[], None] = lambda: None) -> int:
    """Run it as a member is run; ``meanwhile`` happens between the look and the execution."""
    descriptor = open_placed(copy, facts, name="mesh")
    try:
        meanwhile()
        return subprocess.run(
            ["mesh"], executable=f"/proc/self/fd/{descriptor}", pass_fds=(descriptor,), check=False
        ).returncode
    finally:
        os.close(descriptor)


def test_the_copy_is_what_is_verified_and_run(built: Path, tmp_path: Path) -> None:
    """The facts are of the copy, which only its owner can read and execute, and which runs."""
    copy, facts = placed(built, tmp_path / "data")
    assert facts.digest == hashlib.sha256(built.read_bytes()).hexdigest()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o500
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert executed(copy, facts) == 0


def test_a_binary_swapped_before_deployment_is_not_run(built: Path, tmp_path: Path) -> None:
    """Other bytes than those that were built are refused, and no copy of them is left."""
    asked = hashlib.sha256(built.read_bytes()).hexdigest()
    built.write_bytes(elf(body=b"another"))
    with pytest.raises(EnvironmentProblem, match="expected " + asked):
        placed(built, tmp_path / "data", digest=asked)
    assert not placed_at(str(tmp_path / "data"), "mesh").exists()


def test_what_is_swapped_during_the_copy_is_refused_by_what_was_copied(built: Path, tmp_path: Path) -> None:
    """The original may change after the copy: what runs is the copy, with the digest that was recorded."""
    copy, facts = placed(built, tmp_path / "data")
    built.write_bytes(b"#!/bin/sh\nexit 7\n")
    assert executed(copy, facts) == 0
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == facts.digest


def test_a_copy_that_was_replaced_is_not_run(built: Path, tmp_path: Path) -> None:
    """Between verification and start, another file in the copy's place is refused with both digests."""
    copy, facts = placed(built, tmp_path / "data")
    other = copy.with_name("other")
    other.write_bytes(b"#!/bin/sh\nexit 7\n")
    other.chmod(0o500)
    other.replace(copy)
    with pytest.raises(EnvironmentProblem, match="was changed after it was verified"):
        executed(copy, facts)


def test_a_copy_that_was_changed_in_place_is_not_run(built: Path, tmp_path: Path) -> None:
    """A byte written into the copy itself is noticed as well."""
    copy, facts = placed(built, tmp_path / "data")
    copy.chmod(0o700)
    with copy.open("ab") as file:
        file.write(b"x")
    with pytest.raises(EnvironmentProblem, match="was changed after it was verified"):
        executed(copy, facts)


def test_a_link_in_the_copys_place_is_not_followed(built: Path, tmp_path: Path) -> None:
    """A symbolic link is no copy of ours, wherever it leads."""
    copy, facts = placed(built, tmp_path / "data")
    copy.unlink()
    copy.symlink_to(built)
    with pytest.raises(EnvironmentProblem, match="cannot be opened"):
        executed(copy, facts)


def test_a_file_put_in_place_in_the_last_moment_is_not_run(built: Path, tmp_path: Path) -> None:
    """After the last look, the name no longer matters: what was looked at is executed through its descriptor."""
    copy, facts = placed(built, tmp_path / "data")

    def swap() -> None:
        other = copy.with_name("other")
        other.write_bytes(b"#!/bin/sh\nexit 7\n")
        other.chmod(0o700)
        other.replace(copy)

    assert executed(copy, facts, meanwhile=swap) == 0
    assert subprocess.run([copy], check=False).returncode == 7


def test_what_is_there_already_is_never_overwritten(built: Path, tmp_path: Path) -> None:
    """A file that lies where the copy goes is an error, not a copy."""
    copy, _ = placed(built, tmp_path / "data")
    with pytest.raises(EnvironmentProblem, match="cannot be copied"):
        placed(built, tmp_path / "data")
    assert copy.exists()


def test_what_lies_beside_the_original_counts_for_the_copy(built: Path, tmp_path: Path) -> None:
    """A copy alone in its folder is refused for the runtime files that lie beside the original."""
    (built.parent / "mesh.runtimeconfig.json").write_bytes(b"{}")
    with pytest.raises(EnvironmentProblem, match=r"mesh.runtimeconfig.json lies beside it"):
        placed(built, tmp_path / "data")


def test_the_bill_of_materials_is_part_of_the_facts(built: Path, tmp_path: Path) -> None:
    """The digest of the SBOM that came with it is recorded; one that is asked for and missing stops the deployment."""
    bill = tmp_path / "mesh.cdx.json"
    bill.write_bytes(b"{}")
    copy = placed_at(str(tmp_path), "mesh")
    words = {"name": "mesh", "wanted": "linux-x64"}
    facts = place(built, copy, demand="required", sbom=bill, **words)
    assert facts.sbom == hashlib.sha256(b"{}").hexdigest()
    bill.unlink()
    copy.unlink()
    with pytest.raises(EnvironmentProblem, match=r"mesh.cdx.json cannot be read"):
        place(built, copy, demand="required", sbom=bill, **words)
    assert not copy.exists()

"""Build one binary by its command and look at what came out.

Takes the command as an argument list, a folder, a time limit and where the log goes; gives a ``BuiltBinary``, in which whatever
went wrong is a problem: the command could not be run, failed, ran out of time, said a forbidden word, left nothing, or nothing
native. The command runs in a session of its own, and when it ends, or must, its whole process group is killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.results import BuiltBinary
from meshkit_chaos.native.verify import NotReadable, digest_of, host_platform, objections, verify
from meshkit_chaos.scenario.environment import BinaryDescription

PASSED_ON: Final = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "CC", "CXX", "CFLAGS", "LDFLAGS")
PASSED_ON_BEGIN: Final = ("DOTNET_", "NUGET_PACKAGES", "CARGO_", "RUSTUP_", "RUSTFLAGS", "GO", "CGO_", "SOURCE_DATE_EPOCH")
_LONGEST_LINE: Final = 64 * 1024
_LONGEST_FORBIDDEN: Final = 4096
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;:]*[A-Za-z]")
"""What a compiler that is told to use colours puts into the middle of ``warning:``, as many pipelines tell it to."""
_MOST_TOLD: Final = 5
_TAIL: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where builds happen. ``base``: the folder that paths are relative to; ``seen``: this process's variables."""

    base: Path
    logs: Path
    seen: Mapping[str, str]
    clock: Clock


def build(binary: BinaryDescription, *, path: str, place: Workplace) -> BuiltBinary:
    """Build it, where it says how, and verify the result. Raises only for errors of ours."""
    file = place.base / path
    before = _digest_if_there(file)
    began = place.clock.monotonic_ns()
    log = place.logs / f"{binary.name}.log"
    problems = list(_run(binary, place, log)) if binary.build else []
    seconds = (place.clock.monotonic_ns() - began) / 1e9
    facts: BinaryFacts | None = None
    try:
        facts = verify(file, sbom=place.base / binary.sbom if binary.sbom else None)
        wanted = binary.runtime or host_platform()
        problems += objections(facts, demand=binary.native, wanted=wanted, digest=binary.digest)
    except NotReadable as error:
        problems.append(f"what it should give is not there: {error.message}")
    return BuiltBinary(
        name=binary.name,
        ok=facts is not None and not problems,
        problems=tuple(problems),
        command=binary.build,
        seconds=round(seconds, 3) if binary.build else 0.0,
        log=log.name if binary.build else "",
        unchanged=bool(binary.build and before and facts is not None and before == facts.digest),
        facts=facts,
    )


def _digest_if_there(file: Path) -> str:
    try:
        return digest_of(file)
    except NotReadable:
        return ""


def _run(binary: BinaryDescription, place: Workplace, log: Path) -> Iterator[str]:
    """Run the command to its end; whatever was wrong with it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb+") as file:
        yield from _run_into(binary, place, file)
        yield from _forbidden(binary.forbid_output, file)


def _run_into(binary: BinaryDescription, place: Workplace, file: IO[bytes]) -> Iterator[str]:
    try:
        child = subprocess.Popen(
            binary.build,
            env=build_variables(place.seen, binary.pass_on),
            cwd=place.base / binary.folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        yield f"the build cannot be run ({binary.build[0]}): {error.strerror}"
        return
    try:
        status = child.wait(timeout=binary.timeout.seconds)
    except subprocess.TimeoutExpired:
        yield f"the build did not end within {binary.timeout} and was killed; {_last_words(file)}"
        return
    finally:
        _end_group(child)
    if status:
        how = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
        yield f"the build {how}; {_last_words(file)}"


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Nothing of a build goes on behind it, whether it ended by itself or we were interrupted."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def build_variables(seen: Mapping[str, str], more: tuple[str, ...]) -> dict[str, str]:
    """What a build is given: what compilers need, and what the document names. Tokens of the operator are not among it."""
    names = [name for name in seen if name in PASSED_ON or name.startswith(PASSED_ON_BEGIN) or name in more]
    return {"PATH": os.defpath, **{name: seen[name] for name in names}}


def _last_words(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    words = " / ".join(file.read().decode(errors="replace").strip().splitlines()[-3:])
    return f"its last words: {words}" if words else "it said nothing"


def _forbidden(texts: tuple[str, ...], file: IO[bytes]) -> Iterator[str]:
    """Each line of the log that holds a forbidden text, whatever colours are in it; the first few are told."""
    wanted = [text.encode() for text in texts]
    found = 0
    file.seek(0)
    rest = b""
    while piece := file.readline(_LONGEST_LINE):
        line = _COLOUR.sub(b"", rest + piece)
        rest = b"" if piece.endswith(b"\n") else line[-_LONGEST_FORBIDDEN:]  # a piece of a longer line may cut a text in two
        if any(text in line for text in wanted):
            found, rest = found + 1, b""
            if found <= _MOST_TOLD:
                yield f"the build said what is forbidden: {line.decode(errors='replace').strip()[:300]}"
    if found > _MOST_TOLD:
        yield f"and {found - _MOST_TOLD} more such lines"

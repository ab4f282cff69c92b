"""What a secret leaked into leaves no machine: before a results folder is kept as an artifact, what is told to hold one goes.

Takes a results folder and what was read from it. A file that a run's members wrote (a log) is replaced by a line that says so.
Where the record itself holds the value, or a file cannot be replaced, the whole folder is put aside under another name: whoever
uploads it then finds nothing, which is an error there. Nothing of this makes a verdict better: the run stays invalid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from meshkit_chaos.campaign.campaign import write_derived
from meshkit_chaos.campaign.results import Results
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import JOURNAL, SAMPLES

ASIDE: Final = ".leaked"


def withhold(out: Path, results: Results) -> tuple[str, ...]:
    """What was withheld, a sentence each. Raises CannotRun where all of it had to be put aside, and says where it is."""
    told = []
    for folder, record in zip(results.folders, results.records, strict=True):
        for leaked in dict.fromkeys(event for _, event in record.of(ev.SecretLeaked)) if record is not None else ():
            if not _replaced(folder, leaked):
                raise _put_aside(out, leaked)
            told.append(f"{folder.relative_to(out) / leaked.file} is withheld: the secret {leaked.secret} leaked into it")
    return tuple(told)


def _replaced(folder: Path, leaked: ev.SecretLeaked) -> bool:
    path = folder / leaked.file
    inside = path.resolve().is_relative_to(folder.resolve())
    if not inside or not path.is_file() or leaked.file.partition("/")[0] in (JOURNAL, SAMPLES):
        return False
    try:
        write_derived(path, f"withheld: the secret {leaked.secret} leaked into this file\n".encode())
    except OSError:
        return False
    return True


def _put_aside(out: Path, leaked: ev.SecretLeaked) -> CannotRun:
    aside = out.with_name(out.name + ASIDE)
    try:
        out.rename(aside)
    except OSError as error:
        where = f"and {out} could not be put aside ({error.strerror}): do not upload it"
    else:
        where = f"so nothing is published; it was put aside as {aside}"
    return CannotRun(
        f"the secret {leaked.secret} leaked into {leaked.file}, {where}",
        hint="change the secret, keep the value out of what members print and serve, and delete that folder",
    )

"""The gate's documents, from the working tree or from a ref of git."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit_chaos.cli.reading import OVERRIDES, read_document, refused
from meshkit_chaos.errors import UsageError

if TYPE_CHECKING:
    from meshkit_chaos.gate.overrides import Overrides
    from meshkit_chaos.gate.policy import Policy

_FIRST_POLICY: Final = '{version: 1, match: commit, requirements: [{id: all, scenarios: ["*"]}]}'


def read_policy(file: Path, ref: str | None) -> Policy:
    """Raises UsageError where there is none, DocumentError with every problem where it is wrong."""
    from msgspec import structs  # noqa: PLC0415  # start-up time

    from meshkit_chaos.gate.load import load_policy  # noqa: PLC0415  # start-up time

    if ref is None and not _is_there(file):
        raise UsageError(f"there is no policy {file}", hint=f"name one with --policy; a first one is {_FIRST_POLICY}")
    data, commit = _read(file, ref, option="--policy-ref")
    if data is None:
        raise UsageError(f"there is no {file} at {ref}", hint="a gate without a policy stays closed")
    loaded = load_policy(data, path=str(file))
    if loaded.value is None:
        raise refused(loaded.problems, {str(file): data})
    return structs.replace(loaded.value, path=f"{file} at {commit}") if commit else loaded.value


def read_file(file: Path | None, ref: str | None) -> Overrides:
    """The overrides; none where none were named and there is no file of the usual name. Raises as ``read_policy`` does."""
    from msgspec import structs  # noqa: PLC0415  # start-up time

    from meshkit_chaos.gate.load import read_overrides  # noqa: PLC0415  # start-up time
    from meshkit_chaos.gate.overrides import Overrides  # noqa: PLC0415  # start-up time

    place = file or Path(OVERRIDES)
    if file is None and ref is None and not place.is_file():
        return Overrides()
    data, commit = _read(place, ref, option="--overrides-ref")
    if data is None:
        if file is None:
            return Overrides()
        raise UsageError(f"there is no {place} at {ref}", hint="check the path")
    loaded = read_overrides(data, path=str(place))
    if loaded.value is None:
        raise refused(loaded.problems, {str(place): data})
    return structs.replace(loaded.value, commit=commit, protected=ref is not None)


def _is_there(file: Path) -> bool:
    """A place that nobody may look into counts as there: reading it tells what is wrong."""
    try:
        return file.exists()
    except OSError:
        return True


def _read(file: Path, ref: str | None, *, option: str) -> tuple[bytes | None, str]:
    if ref is None:
        return read_document(file), ""
    from meshkit_chaos.gate.protected import read_at  # noqa: PLC0415  # starts git

    found = read_at(ref, file, option=option)
    return found.data, found.commit

"""Where environments that outlive a run are kept: one folder each below the user's state folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import UsageError

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def state_root() -> Path:
    """``$XDG_STATE_HOME/meshkit-chaos/environments`` (``MESHKIT_CHAOS_STATE`` overrides the part before ``environments``)."""
    override = os.environ.get("MESHKIT_CHAOS_STATE")
    if override:
        return Path(override) / "environments"
    import platformdirs  # noqa: PLC0415  # most commands never ask

    return Path(platformdirs.user_state_dir("meshkit-chaos")) / "environments"


def environment_folder(environment_id: str) -> Path:
    """Raises UsageError for an id that could not be one."""
    if not _ID.fullmatch(environment_id):
        raise UsageError(
            f"{environment_id!r} is not an environment id", hint="small letters, digits and hyphens, such as etcd-lab"
        )
    return state_root() / environment_id


def registered() -> tuple[str, ...]:
    """The ids of all environments that have a folder here."""
    root = state_root()
    if not root.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir() and _ID.fullmatch(entry.name)))

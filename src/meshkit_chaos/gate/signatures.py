"""Whether an approver signed an override: OpenSSH checks the signature against a file of allowed signers."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from meshkit_chaos.gate.overrides import NAMESPACE, Checked, Override

_SECONDS: Final = 30
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][\w.@+-]*")


def check_signatures(entries: Iterable[Override], allowed: Path) -> tuple[Checked, ...]:
    """Check every override that bears a signature. What cannot be checked is a problem, never a proof."""
    return tuple(_checked(entry, allowed) for entry in entries if entry.proof.kind == "signature")


def _checked(entry: Override, allowed: Path) -> Checked:
    if not _PRINCIPAL.fullmatch(entry.approver):
        return Checked(override=entry.id, problem=f"{entry.approver!r} is no name that a signer can have")
    with tempfile.TemporaryDirectory(prefix="meshkit-chaos-") as folder:
        signature = Path(folder) / "override.sig"
        signature.write_text(entry.proof.reference.rstrip("\n") + "\n", encoding="utf-8")
        command = [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            str(allowed),
            "-I",
            entry.approver,
            "-n",
            NAMESPACE,
            "-s",
            str(signature),
        ]
        try:
            done = subprocess.run(command, input=entry.statement(), capture_output=True, check=False, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return Checked(override=entry.id, problem=f"its signature cannot be checked: {error}")
    if done.returncode == 0:
        return Checked(override=entry.id, signer=entry.approver)
    return Checked(override=entry.id, problem=f"its signature is not one of {entry.approver} over this override")

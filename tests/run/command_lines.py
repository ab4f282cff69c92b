"""Command lines as people give them, run in this process: exit code, standard output, standard error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtual_runs import ENVIRONMENT, captured, document

from meshkit_chaos.cli import app


@dataclass(frozen=True)
class Ended:
    """``code`` is what the process would have ended with."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def command(*arguments: object) -> Ended:
    """Run one command line."""
    with captured() as (out, err):
        code = app.run([str(argument) for argument in arguments])
    return Ended(code, out(), err())


def write_documents(folder: Path, text: str | None = None, *, environment: str = ENVIRONMENT) -> Path:
    """Put a scenario document and its environment into a folder; give the scenario document's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.yaml").write_text(environment, encoding="utf-8")
    file = folder / "chaos-scenarios.yaml"
    file.write_text(document() if text is None else text, encoding="utf-8")
    return file

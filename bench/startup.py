"""How long the command takes to start: whole processes, beside a bare interpreter.

Takes the interpreter it runs under and the installed package; gives a table. It asserts nothing. The aim is 60 ms for what
people wait for at a prompt; over 100 ms is too slow.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

AIM_MS: Final = 60
TOO_SLOW_MS: Final = 100


def timed(command: Sequence[str], *, times: int, folder: Path) -> list[float]:
    """Milliseconds of each whole process. The first one, which fills caches, is not counted."""
    spans = []
    for _ in range(times + 1):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        spans.append((time.perf_counter() - start) * 1000)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return spans[1:]


def measured(times: int) -> dict[str, list[float]]:
    """Each command by the name that the table shows."""
    tool = shutil.which("meshkit-chaos", path=str(Path(sys.executable).parent)) or "meshkit-chaos"
    with tempfile.TemporaryDirectory() as name, resources.as_file(resources.files("meshkit_chaos") / "demo") as demo:
        folder = Path(name)
        shutil.copytree(demo, folder, dirs_exist_ok=True)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "--version": [tool, "--version"],
            "--help": [tool, "--help"],
            "lint (demo)": [tool, "lint", "chaos-scenarios.yaml"],
        }
        return {title: timed(command, times=times, folder=folder) for title, command in commands.items()}


def table(found: dict[str, list[float]]) -> str:
    """Minimum and median, and the ratio of the minimum to that of a bare interpreter."""
    bare = min(found["python -c pass"])
    lines = [f"{'process':<16} {'min ms':>8} {'median ms':>10} {'x bare':>7}  aim"]
    for title, spans in found.items():
        judged = title.startswith("--")
        word = "" if not judged else "met" if min(spans) <= AIM_MS else "missed" if min(spans) <= TOO_SLOW_MS else "too slow"
        lines.append(
            f"{title:<16} {min(spans):>8.1f} {statistics.median(spans):>10.1f} {min(spans) / bare:>7.1f}  {word}".rstrip()
        )
    lines.append(f"aim for --version and --help: {AIM_MS} ms; over {TOO_SLOW_MS} ms is too slow")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Start-up times of meshkit-chaos as whole processes.")
    parser.add_argument("-n", type=int, default=20, help="how often each is started (default 20)")
    sys.stdout.write(table(measured(parser.parse_args().n)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

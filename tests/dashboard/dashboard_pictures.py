"""Take the picture of the dashboard on a phone, from a history that ``meshkit-chaos demo --history`` made.

``python tests/dashboard/dashboard_pictures.py FOLDER [OUT]``: FOLDER is where the demo put everything. Writes
``dashboard-phone.png`` into OUT, else ``docs/pictures``. A window cannot be so narrow, so this needs the package playwright;
``docs/walk_pictures.py`` takes the others with the program alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from browser import chromium, watched

PICTURES: Final[Mapping[str, tuple[str, int, int, str, float]]] = {
    "phone": ("grid.html", 390, 700, "dark", 1.5),
}
"""By name: the page, its width and height, the colours, and how many dots make a pixel."""


def exported(made: Path, site: Path) -> None:
    """The pages of that history, with whatever the demo left beside it."""
    options = {"--history": "chaos-history", "--policy": "chaos-gate.yaml", "--log": "chaos-gate-log.jsonl"}
    given = [text for name, file in options.items() if (made / file).exists() for text in (name, str(made / file))]
    command = [sys.executable, "-m", "meshkit_chaos", "dashboard", "export", str(site), *given]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def main(made: Path, out: Path) -> None:
    """Each picture once. A page that complains is not taken."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        site = Path(folder) / "site"
        exported(made, site)
        for name, (path, width, height, scheme, dots) in PICTURES.items():
            size = {"width": width, "height": height}
            with watched(browser, site.as_uri(), size=size, color_scheme=scheme, device_scale_factor=dots) as one:
                one.go(path).screenshot(path=out / f"dashboard-{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[2] / "docs" / "pictures")

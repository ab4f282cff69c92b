"""Take the pictures of the walk through `demo --history`, as people see the pages.

``python docs/walk_pictures.py SITE``: SITE is what ``dashboard export`` wrote of the demo's ninety nights. Writes
``docs/pictures/dashboard-walk-*.png``. Refuses a picture that is too large for a page of text. Needs the program chromium.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
MOST_BYTES = 150_000
SHOTS = {
    "readiness": ("index.html", 1000, 800),
    "grid": ("grid.html", 1280, 540),
    "step": ("scenario/leader-killed.html", 1000, 800),
}
"""By name: the page, and the width and height of the window."""


def photographed(page: Path, picture: Path, *, width: int, height: int) -> None:
    """The top of a page, light."""
    with tempfile.TemporaryDirectory() as profile:
        fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        shot = [f"--screenshot={picture.resolve()}", f"--window-size={width},{height}", page.resolve().as_uri()]
        light = "--blink-settings=preferredColorScheme=1"
        command = ["chromium", *fixed, light, *shot]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main(site: Path) -> None:
    for name, (page, width, height) in SHOTS.items():
        picture = PICTURES / f"dashboard-walk-{name}.png"
        photographed(site / page, picture, width=width, height=height)
        if (size := picture.stat().st_size) > MOST_BYTES:
            sys.exit(f"{picture.name} is {size:,} bytes, more than {MOST_BYTES:,}: take less of the page")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

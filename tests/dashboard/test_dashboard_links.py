"""Where the links of an exported dashboard lead."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote


def test_every_link_of_the_export_leads_somewhere(exported: Path) -> None:
    """To a file that is there, and to a place in it that is there; or to the forge that the settings name."""
    ids: dict[Path, set[str]] = {}
    seen = 0
    for file in exported.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        for link in set(re.findall(r'<a\b[^>]*\shref="([^"]*)"', text)):
            if link.startswith("https://forge.example/"):
                continue
            path, _, place = link.partition("#")
            there = (file.parent / unquote(path)).resolve() if path else file.resolve()
            assert there.is_relative_to(exported.resolve()), (file, link)
            assert there.is_file(), (file, link)
            if place and not place.startswith("filter="):
                known = ids.setdefault(there, set(re.findall(r'\sid="([^"]+)"', there.read_text(encoding="utf-8"))))
                assert place in known, (file, link)
            seen += 1
    assert seen > 500

"""The documentation as the tests see it: pages, links, fenced blocks, and the generator of the reference."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FRONT = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after it (``file=mesh.yaml``, ``lab``), its text and its first line."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the reader is told to save it as."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), None)

    @property
    def lab(self) -> bool:
        """Whether it needs a real etcd."""
        return "lab" in self.words

    @property
    def slow(self) -> bool:
        """Whether it takes a minute or more."""
        return "slow" in self.words

    @property
    def quoted(self) -> str | None:
        """The exported page that it quotes, line by line."""
        return next((word.removeprefix("page=") for word in self.words if word.startswith("page=")), None)


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def blocks(self) -> Iterator[Block]:
        text = self.text
        for found in _FENCE.finditer(text):
            language, *words = found[1].split() or [""]
            yield Block(language, tuple(words), found[2], text.count("\n", 0, found.start()) + 2)

    def links(self) -> Iterator[str]:
        """Where links and pictures outside of code point to."""
        prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", self.text))
        return (found[1] for found in _LINK.finditer(prose))

    def anchors(self) -> set[str]:
        """What can be linked to inside it: headings, as GitHub writes them."""
        headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def pages() -> tuple[Page, ...]:
    """Everything written for readers."""
    folders = [*sorted(DOCS.rglob("*.md")), *sorted((ROOT / "decisions").glob("*.md")), *sorted((ROOT / "bench").glob("*.md"))]
    examples = sorted((ROOT / "examples").glob("*/README.md"))
    return tuple(Page(path) for path in (*(ROOT / name for name in FRONT), *folders, *examples))


def generator() -> ModuleType:
    """``docs/generate.py``, which is a script and not part of the package."""
    if "docs_generate" not in sys.modules:
        spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["docs_generate"] = module
        spec.loader.exec_module(module)
    return sys.modules["docs_generate"]

"""The project's own files as the house rules see them: paths, syntax trees, comments."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
PACKAGE = SRC / "meshkit_chaos"
TESTS = ROOT / "tests"
AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file; ``name`` is its path from the project's root, with slashes."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.name)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree: rules look at them again and again."""
        return tuple(ast.walk(self.tree))

    @property
    def length(self) -> int:
        return self.text.count("\n")

    @property
    def module(self) -> str:
        """As it is imported: ``meshkit_chaos.slo.band``."""
        parts = self.path.relative_to(SRC).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def functions(self) -> Iterator[AnyFunction]:
        return (node for node in self.nodes if isinstance(node, AnyFunction))

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything imported, wherever the import stands: ``from a import b`` is ``a.b``."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module or ''}.{alias.name}") for alias in node.names)

    def comments(self) -> Iterator[tuple[int, str]]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


@lru_cache
def shipped() -> tuple[Source, ...]:
    """Every module that ships."""
    return tuple(Source(path) for path in sorted(PACKAGE.rglob("*.py")))


@lru_cache
def checks() -> tuple[Source, ...]:
    """Every module of the tests, their fakes and builders included."""
    return tuple(Source(path) for path in sorted(TESTS.rglob("*.py")))


BUILT = {"target", "native-build"}
"""Folders of an example in which a compiler works."""


def documents() -> Iterator[Path]:
    """What people read and CI runs, besides Python."""
    for folder in ("docs", "examples", "decisions", ".github", ".ci"):
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and not BUILT & set(path.parts))
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file() and path.name != ".git")
    yield from (path for path in sorted(PACKAGE.rglob("*")) if path.suffix in {".md", ".yaml", ".json", ".j2", ".html", ".css"})

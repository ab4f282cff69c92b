"""The bias of range windows, reproduced by our own evaluator; and the page that shows it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bias() -> ModuleType:
    """The bench script as a module."""
    spec = importlib.util.spec_from_file_location("bias_table", ROOT / "bench" / "bias_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bias_table"] = module  # where dataclasses look for the annotations of their module
    spec.loader.exec_module(module)
    return module


def test_a_window_hides_the_recovery(bias: ModuleType) -> None:
    """Of a 20 s outage scraped every 15 s, a 5-minute rate reads about 310 s and a 1-minute rate about 72 s."""
    read = {(row.query, row.every): row for row in bias.rows()}
    assert read["rate(errors_total[300s])", 15].mean == pytest.approx(312, abs=5)
    assert read["rate(errors_total[60s])", 15].mean == pytest.approx(72, abs=5)


def test_raw_samples_hold_the_truth(bias: ModuleType) -> None:
    """From the raw samples the estimator's interval holds the true 20 s at every phase, and is one scrape wide."""
    for row in bias.rows():
        assert row.contained == row.phases
        assert row.hi - row.lo <= 2 * row.every


def test_the_page_is_what_was_generated(bias: ModuleType) -> None:
    """The page in the docs is the table of today's code."""
    page = (ROOT / "docs" / "concepts" / "bias-table.md").read_text(encoding="utf-8")
    assert page == bias.table(), "run: python bench/bias_table.py --write"

"""Samples of a running mesh: scrapes and probes, in rounds on a fixed schedule. What is not seen is unknown, never good."""

from meshkit_chaos.measure.exposition import Parsed, Wanted, parse
from meshkit_chaos.measure.fetch import scrape_client
from meshkit_chaos.measure.probes import Prober, RunCheck
from meshkit_chaos.measure.sampler import Sampler, probes_of, wanted_by
from meshkit_chaos.measure.scrape import SCRAPE, Scraper
from meshkit_chaos.measure.watch import Reading, Watch, read

__all__ = [
    "SCRAPE",
    "Parsed",
    "Prober",
    "Reading",
    "RunCheck",
    "Sampler",
    "Scraper",
    "Wanted",
    "Watch",
    "parse",
    "probes_of",
    "read",
    "scrape_client",
    "wanted_by",
]

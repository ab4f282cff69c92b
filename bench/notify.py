"""A storm of pipelines: so many at once report failures of five causes into a real PostgreSQL, and all of them send.

``python bench/notify.py [--pipelines 1000] [--processes 4] [--threads 12] [--sqlite]``. Needs the apt package postgresql,
unless ``--sqlite``. The tracker and the chat are the fakes of the tests, which check every request. Nothing is asserted but
that all came.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / room) for room in ("deliver", "history", "run")]

from fake_github import FakeGitHub  # noqa: E402  # the tests' folders come first
from fake_slack import FakeSlack  # noqa: E402  # as above
from pipeline_storm import CAUSES, ROUTES, TOKENS, Storm, digests_due, prepare, unleash  # noqa: E402  # as above
from postgres_server import server  # noqa: E402  # as above
from served import served  # noqa: E402  # as above


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pipelines", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=12)
    parser.add_argument("--sqlite", action="store_true")
    options = parser.parse_args()
    os.environ.update(TOKENS)
    with tempfile.TemporaryDirectory() as scratch, database(Path(scratch), sqlite=options.sqlite) as location:
        folder = Path(scratch)
        outs = prepare(folder / "outs", options.pipelines)
        tracker, chat = FakeGitHub(token=TOKENS["TRACKER_TOKEN"], lag_s=1.0), FakeSlack(token=TOKENS["CHAT_TOKEN"])
        with served(tracker) as tracker_url, served(chat) as chat_url:
            (folder / "routes.yaml").write_text(ROUTES.format(tracker=tracker_url, chat=chat_url), encoding="utf-8")
            storm = unleash(location, folder, outs, processes=options.processes, threads=options.threads)
            tell(storm, tracker, chat, of=options)
            with digests_due(location, folder):
                comments = sum(len(issue.comments) for issue in tracker.issues.values())
                print(f"after the digests: {len(tracker.issues)} tickets, {comments} comments, {len(chat.messages)} messages")


@contextlib.contextmanager
def database(folder: Path, *, sqlite: bool) -> Iterator[str]:
    if sqlite:
        yield f"sqlite:///{folder}/h/index.sqlite"
        return
    with server() as location:
        yield location


def tell(storm: Storm, tracker: FakeGitHub, chat: FakeSlack, *, of: argparse.Namespace) -> None:
    where = "SQLite" if of.sqlite else "PostgreSQL"
    print(f"{storm.pipelines} pipelines of {len(CAUSES)} causes, {of.processes * of.threads} at a time, {where}")
    print(f"all done after              {storm.pipelines_s:8.1f} s   {storm.pipelines / storm.pipelines_s:.1f} pipelines/s")
    print(f"last delivery after         {storm.last_s:8.1f} s")
    print(f"tickets, messages           {len(tracker.issues):8} {len(chat.messages)}   (beside {storm.pipelines} each)")
    superseded = sum(one.told.state == "superseded" for one in storm.entries)
    print(f"digests decided, replaced   {superseded:8}")
    print(f"requests                    {len(tracker.asked):8} to the tracker")


if __name__ == "__main__":
    main()

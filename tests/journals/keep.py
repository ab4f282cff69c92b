"""Keep a run's record for ever: ``python tests/journals/keep.py RUN_FOLDER NAME "what it shows"``.

Copies the journal and the sample blocks that it names into ``tests/journals/NAME``, judges it, and writes the verdict that
every later version must give, byte for byte. Look at that verdict before you commit it: from then on it is what is right.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kept import EXPECTED, judged

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import JOURNAL, SAMPLES, read_journal

HERE = Path(__file__).parent
LARGEST = 60_000


def keep(run: Path, name: str, why: str) -> Path:
    """Copy, judge, describe. Refuses what is too large, or names a place on the machine that it was recorded on."""
    folder = HERE / name
    folder.mkdir()
    (folder / SAMPLES).mkdir()
    shutil.copyfile(run / JOURNAL, folder / JOURNAL)
    for entry in read_journal(run)[0]:
        if isinstance(entry.event, ev.SamplesFlushed) and (run / SAMPLES / entry.event.block).is_file():
            shutil.copyfile(run / SAMPLES / entry.event.block, folder / SAMPLES / entry.event.block)
    (folder / "README").write_text(why.strip() + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    places = (b"/home/", b"/root/", b"/Users/", str(HERE.parents[1]).encode())
    private = [text for text in places if text in (folder / JOURNAL).read_bytes()]
    if size > LARGEST or private:
        shutil.rmtree(folder)
        reason = f"it names {private}" if private else f"{size} bytes, at most {LARGEST} are kept: make a shorter run"
        raise SystemExit(f"{name} was not kept: {reason}")
    (folder / EXPECTED).write_bytes(judged(folder))
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    kept = keep(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    sys.stdout.write((kept / EXPECTED).read_text(encoding="utf-8"))

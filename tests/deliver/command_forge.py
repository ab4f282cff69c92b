"""Runs command lines in processes of their own, quickly: one process imports everything once, and forks for each line.

Read from standard input: a JSON list of arguments a line. Written: ``{"pid": …}`` when it has begun, ``{"status": …}`` when
it ended.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from meshkit_chaos.cli import app, notify_sending
from meshkit_chaos.deliver import claiming, github, worker
from meshkit_chaos.history import places

IMPORTED = (notify_sending, claiming, github, worker, places)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            os._exit(app.run(json.loads(line)))
        tell({"pid": child})
        _, status = os.waitpid(child, 0)
        tell({"status": os.waitstatus_to_exitcode(status)})


def tell(what: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

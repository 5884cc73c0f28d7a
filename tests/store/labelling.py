"""A process that settles labels, as a program.

`python -m tests.store.labelling PATH VALID SEED START`: settles `workload(VALID, SEED)`
from label START on; after each call prints how many labels the store has answered
for, and at the end what it has answered.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from tests.store.labels import a_file, batches, counted, workload


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(path: str, valid: int, seed: int, start: int) -> None:
    labels = workload(valid, seed)[start:]
    store = a_file(Path(path))
    say("ready")
    answered: Counter[str] = Counter()
    done = start
    for batch in batches(labels, seed + start):
        answered.update(store.settle(batch, 1.0, counted).outcomes)
        done += len(batch)
        say(str(done))
    store.close()
    say(json.dumps(answered))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

"""``python -m tests.faults --kills 200``: kills trainings, and says whether they ended as if nothing had been."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.task import VARIANTS
from tests.faults.trials import Trial, Trials

KILLS_OF_A_TRAINING = 4


def main() -> int:
    """Runs trials until there were enough kills; the exit status is 1 where one differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how many at least, over all trainings")
    parser.add_argument("--processes", type=int, default=1, help="of each training, gloo between them")
    parser.add_argument("--variant", choices=list(VARIANTS), help="one way to train; else each trial draws one")
    parser.add_argument("--seed", type=int, default=None, help="of the trainings and of the moments; else random")
    parser.add_argument("--whole", action="store_true", help="start the command itself, with its imports, each time")
    given = parser.parse_args()
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="seqlab-faults-"))
    print(f"seed {seed}, in {folder}", flush=True)
    trials, done, begun = Trials(folder, seed, given.processes, not given.whole), list[Trial](), time.monotonic()
    while sum(len(trial.moments) for trial in done) < given.kills:
        trial = trials.run(KILLS_OF_A_TRAINING, given.variant)
        done.append(trial)
        result = "; ".join(trial.differences) or "the same"
        print(f"{trial.variant}, killed: {', '.join(trial.moments) or 'never'}: {result}", flush=True)
    print(f"\nseed {seed}, {given.processes} processes, {time.monotonic() - begun:.0f} s\n{table(done)}")
    return int(any(trial.differences for trial in done))


def table(trials: list[Trial]) -> str:
    """What was going on at the kills, how often, and how many of the trainings ended otherwise."""
    kills, different = Counter[str](), Counter[str]()
    for trial in trials:
        kills.update(trial.moments)
        different.update(set(trial.moments) if trial.differences else ())
    lines = ["| killed while | kills | trainings that differ |", "| --- | ---: | ---: |"]
    lines += [f"| {moment} | {count} | {different[moment]} |" for moment, count in kills.most_common()]
    lines += [f"| all {len(trials)} trainings | {kills.total()} | {sum(bool(trial.differences) for trial in trials)} |"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

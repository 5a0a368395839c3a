"""Imported first by the process that a study's runs are forked from: what ends a study, it has to outlive.

Ctrl-C reaches every process of a terminal, and a scheduler's signals often every process of a job. The study passes
them on to its runs, and hears from the process that forked them how they ended; that one ends when the study does.
"""

import signal

for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(_number, signal.SIG_IGN)

"""A study's runs are forked from a process that outlives what the study is told."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest

from experiments.processes.seqlab_process import PRELOADED, SIGNALS, start_seqlab

EVERY_MODULE = """
import importlib, pkgutil, signal
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
for package in ("datamodules", "experiments", "lightning_modules"):
    for module in pkgutil.walk_packages([package], f"{package}."):
        importlib.import_module(module.name)
assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""


def test_what_runs_are_forked_from_holds_no_thread_and_no_wandb() -> None:
    """It has read a config, of which W&B's logger is a part: neither imports it."""
    modules = [name for name in PRELOADED if not name.startswith("tests")]
    told = f"import sys, threading, {', '.join(modules)}\n"
    told += "print(threading.active_count(), 'lightning' in sys.modules, 'wandb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout == "1 True False\n", done.stderr


def test_no_module_changes_what_signals_do_when_it_is_imported() -> None:
    subprocess.run([sys.executable, "-c", EVERY_MODULE], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux alone")
def test_the_server_outlives_signals(tmp_path: Path) -> None:
    first = version(tmp_path)
    for number in SIGNALS:
        os.kill(first, number)
        time.sleep(0.1)
    assert version(tmp_path) == first, "the same server started it"
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), "held back only while the server starts"


def version(folder: Path) -> int:
    """Lets a process of seqlab say its version.

    Returns:
        The id of the process that it was forked from.
    """
    log = folder / "log.txt"
    process = start_seqlab(["--version"], log, os.environ, threads=1)
    process.join(60)
    assert process.exitcode == 0, log.read_text()
    return forkserver._forkserver._forkserver_pid

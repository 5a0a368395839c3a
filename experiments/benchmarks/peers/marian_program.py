"""Marian's training and search as a program. It runs in the toolkit's virtual environment, which has no seqlab."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(command: str, config: str, *files: str) -> None:
    """Trains, or translates and prints how long that took: ``search took 12.345678 seconds``.

    Args:
        command: ``train`` or ``translate``.
        config: A YAML file of Marian's options.
        *files: What is translated, and what gets the translations.
    """
    import pymarian  # where seqlab is there is none

    options = f"--config {config}"
    if command == "train":
        pymarian.Trainer(options).train()
        return
    source, output = map(Path, files)
    translator = pymarian.Translator(options)
    lines = source.read_text(encoding="utf-8").split("\n")[:-1]
    start = time.perf_counter()
    translations = translator.translate(lines)
    print(f"search took {time.perf_counter() - start:.6f} seconds", flush=True)
    output.write_text("".join(f"{line}\n" for line in translations), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Directories as trainings leave them, without any training."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import yaml

from experiments.studies.results import COLUMNS

METRICS = ("train/loss", "val/loss", "val/loss_free_running", "val/exposure_gap", "val/attention_entropy", "test/bleu")


def write_run(
    run: Path, wandb_id: str = "", project: str = "lecture", media: Sequence[str] = (), metrics: Sequence[str] = METRICS
) -> Path:
    """A run with two rows of metrics.

    Args:
        run: Its directory.
        wandb_id: Its id in W&B, where it was logged offline; empty where it was not.
        project: Its project in W&B.
        media: Files of W&B, from ``files/media/``.
        metrics: What it logged.
    """
    run.mkdir(parents=True)
    logger = {"class_path": "experiments.loggers.RunWandbLogger", "init_args": {"project": project, "entity": None}}
    loggers = [{"class_path": "experiments.loggers.MetricsCSV"}, logger]
    (run / "config.yaml").write_text(yaml.safe_dump({"trainer": {"logger": loggers}}), encoding="utf-8")
    lines = [",".join(("step", "epoch", "time", *metrics))]
    lines += [",".join((str(step), "0", "1.5", *(f"{value}" for _ in metrics))) for step, value in ((0, 2.5), (9, 1.5))]
    (run / "metrics.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if wandb_id:
        part = run / "wandb" / f"offline-run-20260102_030405-{wandb_id}"
        part.mkdir(parents=True)
        (run / "wandb" / "run-id.txt").write_text(f"{wandb_id}\n", encoding="utf-8")
        for name in media:
            (part / "files" / "media" / name).parent.mkdir(parents=True, exist_ok=True)
            (part / "files" / "media" / name).touch()
    return run


def write_study(directory: Path, variants: Sequence[str], seeds: int = 2, status: str = "finished") -> Path:
    """A study, its runs and its tables.

    Args:
        directory: Where; its parent has the study's name.
        variants: Their names; a run of W&B has its variant's and its seed as its id.
        seeds: Of each variant.
        status: That of all runs.
    """
    rows = []
    for variant in variants:
        for seed in range(1, seeds + 1):
            run = write_run(
                directory / "runs" / f"{variant}-seed{seed}" / "1",
                f"{variant}{seed}",
                media=[
                    "images/val/alignment_1_7_b6ba5fe718b9e650ec5e.png",
                    "images/val/exposure_8_7faffc297d984115aeba.png",
                    "table/val/translations_6_634cf8eb117094dfaa3a.table.json",
                ],
            )
            row = dict.fromkeys(COLUMNS, "") | {"variant": variant, "seed": str(seed), "status": status}
            rows.append(row | {"run": f"elsewhere/{run.parent.name}/1", "test/bleu": "20", "mean train/loss": "2"})
    with (directory / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table = "| variant | finding |\n|:--|:--|\n| none | worse |"
    text = f"# Study {directory.parent.name}\n\nDoes it help?\n\n{table}\n\n![a](figures/a.png)\n"
    (directory / "table.md").write_text(text, encoding="utf-8")
    return directory

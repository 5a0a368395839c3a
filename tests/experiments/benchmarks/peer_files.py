"""Logs that toolkits really wrote, a small corpus, and programs that stand in for the toolkits."""

from __future__ import annotations

from pathlib import Path

from experiments.benchmarks.peers import Peer, PeerCorpus
from experiments.benchmarks.peers.environment import MARKER

OPENNMT_TRAINING = """\
[2026-11-26 20:52:45,601 INFO] Start training loop and validate every 20000000 steps...
  with torch.cuda.amp.autocast(enabled=self.optim.amp):
[2026-11-26 20:53:42,835 INFO] Step 20/   60; acc: 10.5; ppl: 1567.9; xent: 7.4; lr: 0.00100; sents:    1280; \
bsz:  944/ 963/64; 330/337 tok/s;     57 sec;
[2026-11-26 20:54:35,425 INFO] Step 40/   60; acc: 15.0; ppl: 675.3; xent: 6.5; lr: 0.00100; sents:    1280; \
bsz:  893/1038/64; 340/395 tok/s;    110 sec;
[2026-11-26 20:55:35,735 INFO] Step 60/   60; acc: 18.6; ppl: 534.1; xent: 6.3; lr: 0.00100; sents:    1280; \
bsz: 1012/1099/64; 336/365 tok/s;    170 sec;
[2026-11-26 20:55:35,739 INFO] Saving checkpoint checkpoints/opennmt_step_60.pt
"""

OPENNMT_TRANSLATION = """\
[2026-11-26 20:55:48,817 INFO] Loading data into the model
[2026-11-26 20:55:53,373 INFO] PRED SCORE: -7.5668, PRED PPL: 1933.01 NB SENTENCES: 100
[2026-11-26 20:55:53,373 INFO] Total translation time (s): 4.5
[2026-11-26 20:55:53,373 INFO] Average translation time (ms): 45.2
"""

JOEYNMT_TRAINING = """\
2026-11-26 20:56:54,184 - INFO - joeynmt.training - EPOCH 1
  self.scheduler.step(epoch=epoch_no)
2026-11-26 20:58:39,147 - INFO - joeynmt.training - Epoch   1, Step:       20, Batch Loss:     5.380282, \
Batch Acc: 0.071880, Tokens per Sec:      193, Lr: 0.001000
2026-11-26 21:00:55,947 - INFO - joeynmt.training - Epoch   1, Step:       40, Batch Loss:     5.222070, \
Batch Acc: 0.106787, Tokens per Sec:      148, Lr: 0.001000
2026-11-26 21:03:00,735 - INFO - joeynmt.training - Epoch   1, Step:       60, Batch Loss:     5.125646, \
Batch Acc: 0.138471, Tokens per Sec:      161, Lr: 0.001000
2026-11-26 21:03:00,736 - INFO - joeynmt.training - Training ended since maximum num. of updates 60 was reached.
"""

JOEYNMT_TRANSLATION = """\
2026-11-26 21:04:10,252 - INFO - joeynmt.prediction - Predicting 100 example(s)... (Beam search with beam_size=5)
2026-11-26 21:04:22,025 - INFO - joeynmt.prediction - Generation took 11.7726[sec].
"""


YOYODYNE_TRAINING = """\
│ classifier     │ Linear                   │  3,997,809 │
Trainable parameters: 10,197,362
step 20, time 6281.248538, target tokens per second 86.4
step 40, time 6520.400741, target tokens per second 84.2
"""

MARIAN_TRAINING = """\
[2026-11-30 12:33:19] Allocating memory for Adam-specific shards
[2026-11-30 12:34:11] Ep. 1 : Up. 20 : Sen. 1,280 : Cost 6.82284307 : Time 55.34s : 279.13 words/s : gNorm 1.5541
[2026-11-30 12:35:15] Ep. 1 : Up. 40 : Sen. 2,552 : Cost 5.66523552 : Time 64.00s : 235.22 words/s : gNorm 1.2509
[2026-11-30 12:35:36] Seen 3,000 samples
[2026-11-30 12:36:07] Ep. 2 : Up. 60 : Sen. 824 : Cost 5.43523550 : Time 51.56s : 1,287.53 words/s : gNorm 1.1603
[2026-11-30 12:36:09] Training finished
"""


def small_corpus(directory: Path) -> PeerCorpus:
    """A corpus with a pair that has a blank side, a quotation mark at a beginning, and a blank line to translate."""
    texts = {
        "train.source": '▁a ▁do g\n\n" ▁cat\n',
        "train.target": "▁ein ▁Hund\n▁nichts\n▁Ka tze\n",
        "val.source": "▁a ▁cat\n",
        "val.target": "▁eine ▁Ka tze\n",
        "test.source": "▁a ▁do g\n\n▁cat\n",
        "test.target": "▁ein ▁Hund\n\n▁Ka tze\n",
        "test.reference": "ein Hund\n\nKatze\n",
    }
    directory.mkdir()
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    vocabulary = ["<pad>", "<s>", "</s>", "<unk>", "▁a", "▁do", "g", "▁cat"]
    return PeerCorpus(*(directory / name for name in texts), vocabulary)


def stand_in(peer: Peer, program: str, script: str) -> None:
    """Puts a shell script where a program of the toolkit would be installed."""
    path = Path(peer.environment.program(program))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    path.chmod(0o755)
    told = "".join(f"pip install {' '.join(each)}\n" for each in peer.installations)
    (path.parents[1] / MARKER).write_text(told)

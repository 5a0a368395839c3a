"""Music through the real command line: learnt in seconds, written from the checkpoint alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.music.midi import read_midi
from experiments.cli import main
from tests.experiments.explorer.exported_page import answer
from tests.experiments.metrics_table import values

pytest.importorskip("mido")

SMALL = {
    "data.init_args.train": "{made: 120, bars: 2}",
    "data.init_args.val": "{made: 12, seed: 1, bars: 2}",
    "data.init_args.test": "{made: 12, seed: 2, bars: 2}",
    "trainer.max_epochs": 6,
    "trainer.check_val_every_n_epoch": 6,
    "trainer.accelerator": "cpu",
    "trainer.logger": "MetricsCSV",
    "trainer.enable_progress_bar": "false",
}

MELODY = "X:1\nM:4/4\nL:1/4\nK:C\nC D E F | G F E C |]\n"


def test_voices_are_written_to_a_melody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    options += ["--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", "configs/music/sample.yaml", *options]) == 0
    run, melody = tmp_path / "made-music" / "1", tmp_path / "melody.abc"
    accuracy, copied = (values(run, f"val/symbols_{name}")[-1] for name in ("accuracy", "copied"))
    assert accuracy > copied + 0.05
    assert values(run, "val/bass_nll")[-1] > 0
    melody.write_text(MELODY)
    outputs = [str(tmp_path / f"chorale.{ending}") for ending in ("mid", "abc", "png")]
    command = ["compose", "--ckpt_path", str(run), "--input", str(melody), "--output"]
    assert main([*command, *outputs]) == 0
    piece = read_midi(tmp_path / "chorale.mid", steps=4)
    assert len(piece.voices) == 4
    assert [60, 62, 64, 65, 67, 65, 64, 60] in [[note.pitch for note in voice] for voice in piece.voices]
    assert all(Path(path).stat().st_size for path in outputs)
    assert "parallel fifths" in capfd.readouterr().out
    page = tmp_path / "page.html"
    assert main(["explore", "--ckpt_path", str(run), "--input", str(melody), "--export", str(page)]) == 0
    voices = answer(page, "/api/music")["piece"]["voices"]
    assert len(voices) == 4
    assert [60, 62, 64, 65, 67, 65, 64, 60] in [[note["pitch"] for note in voice] for voice in voices]
    drawn = [str(tmp_path / "drawn.mid"), "--samples", "2", "--temperature", "1.5", "--top_p", "0.95"]
    assert main([*command, *drawn]) == 0
    assert all(len(read_midi(tmp_path / f"drawn-{number}.mid", steps=4).voices) == 4 for number in (1, 2))
    drawn = [str(tmp_path / "evenly.mid"), "--samples", "6", "--temperature", "1000"]  # padding is drawn as all else
    assert main([*command, *drawn]) == 0
    assert len(read_midi(tmp_path / "evenly-6.mid", steps=4).voices) == 4
    (tmp_path / "tune-2.abc").write_text(MELODY)
    own = [*command[:4], str(tmp_path / "tune-2.abc"), "--output", str(tmp_path / "tune.abc"), "--samples", "2"]
    assert main(own) == 2
    assert "tune-2.abc is also --input: give it a file of its own" in capfd.readouterr().err
    assert (tmp_path / "tune-2.abc").read_text() == MELODY
    _tells_what_is_wrong(command, melody, tmp_path, capfd)


def _tells_what_is_wrong(command: list[str], melody: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for music, output, told in (
        (MELODY, "x.wav", "its name has to end in .mid"),
        ("X:1\nK:C\nC&D\n", "x.mid", "tune 1, line 3: '&D' at character 2 is no ABC"),
        ("X:1\nK:C\nC'''''''\n", "x.mid", "the note 144 is out of range"),
        ("X:1\nM:4/4\nL:1/4\nK:C\nC,,, D |]\n", "x.mid", "came nowhere in training"),
        ("X:1\nK:C\nz4\n", "x.mid", "has no tune with notes"),
    ):
        melody.write_text(music)
        assert main([*command, str(tmp_path / output)]) == 2
        error = capfd.readouterr().err
        assert error.count("\n") == 1
        assert told in error
        assert not (tmp_path / output).exists()

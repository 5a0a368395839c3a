"""The toolkits' configs, what is read from their logs, and their processes, with scripts in place of the programs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from datamodules.errors import RunFailed, UserError
from experiments.benchmarks.peers import PEERS, JoeyNMT, Marian, OpenNMT, Peer, Yoyodyne
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.peers.recipe import MIN_STEPS
from tests.experiments.benchmarks.peer_files import (
    JOEYNMT_TRAINING,
    JOEYNMT_TRANSLATION,
    MARIAN_TRAINING,
    OPENNMT_TRAINING,
    OPENNMT_TRANSLATION,
    YOYODYNE_TRAINING,
    small_corpus,
    stand_in,
)

PROGRAMS = {"opennmt": "onmt_train", "joeynmt": "python", "yoyodyne": "yoyodyne", "marian": "python"}


def prepared(tmp_path: Path, peer_class: type[Peer], script: str = "", device: str = "cpu") -> Peer:
    """A peer whose training is a script."""
    peer = peer_class(tmp_path / "peers")
    stand_in(peer, PROGRAMS[peer.name], script)
    peer.prepare(small_corpus(tmp_path / "corpus"), Hardware(1, device))
    return peer


def config_of(peer: Peer, name: str = "train.yaml") -> dict:
    return yaml.safe_load((peer.directory / name).read_text())


@pytest.mark.parametrize(
    ("peer_class", "stream", "log", "tokens", "milliseconds"),
    [
        (OpenNMT, 2, OPENNMT_TRAINING, 380.0, (52590 + 60310) / 40),
        (JoeyNMT, 2, JOEYNMT_TRAINING, 154.5, (136800 + 124788) / 40),
        (Yoyodyne, 1, YOYODYNE_TRAINING, 84.2, 239152.203 / 20),
        (Marian, 2, MARIAN_TRAINING, (235.22 + 1287.53) / 2, 116000 / 40),
    ],
)
def test_speed_is_the_median_of_the_reports_after_the_first(
    tmp_path: Path, peer_class: type[Peer], stream: int, log: str, tokens: float, milliseconds: float
) -> None:
    peer = prepared(tmp_path, peer_class, f"cat >&{stream} <<'END'\n{log}END\n")
    speed = peer.train(60)
    assert speed.target_tokens_per_second == pytest.approx(tokens)
    assert speed.milliseconds_per_step == pytest.approx(milliseconds, rel=1e-6)
    assert 0 < speed.peak_memory_mib < 100


@pytest.mark.parametrize("peer_class", PEERS.values())
def test_a_log_without_reports_is_an_error(tmp_path: Path, peer_class: type[Peer]) -> None:
    peer = prepared(tmp_path, peer_class, "echo nothing\n")
    with pytest.raises(RunFailed, match="0 reports"):
        peer.train(MIN_STEPS)


@pytest.mark.parametrize("peer_class", PEERS.values())
def test_a_failure_is_told_with_the_last_line(tmp_path: Path, peer_class: type[Peer]) -> None:
    peer = prepared(tmp_path, peer_class, "echo a line >&2; echo Error: it broke >&2; exit 3\n")
    with pytest.raises(RunFailed, match=r"failed: Error: it broke; all of it is in .*train\.log"):
        peer.train(MIN_STEPS)


def test_few_steps_tell_no_speed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"give at least {MIN_STEPS}"):
        prepared(tmp_path, OpenNMT).train(MIN_STEPS - 1)


def test_preparing_comes_first(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        JoeyNMT(tmp_path).train(MIN_STEPS)
    with pytest.raises(RuntimeError, match="prepare"):
        JoeyNMT(tmp_path).translate(beam_size=5, batch_size=32)


def test_the_files_of_opennmt(tmp_path: Path) -> None:
    peer = prepared(tmp_path, OpenNMT, f"cat >&2 <<'END'\n{OPENNMT_TRAINING}END\n")
    peer.train(60)
    config = config_of(peer)
    assert (peer.directory / "train.source").read_text() == '▁a ▁do g\n" ▁cat\n'
    assert (peer.directory / "train.target").read_text() == "▁ein ▁Hund\n▁Ka tze\n"
    assert (peer.directory / "vocabulary.txt").read_text() == "▁a\n▁do\ng\n▁cat\n"
    assert config["src_vocab"] == config["tgt_vocab"] == "vocabulary.txt"
    assert (config["train_steps"], config["save_checkpoint_steps"], config["bucket_size"]) == (60, 60, 2)
    assert (config["enc_hid_size"], config["dec_hid_size"], config["word_vec_size"]) == (512, 512, 256)


def test_the_files_of_joeynmt(tmp_path: Path) -> None:
    peer = prepared(tmp_path, JoeyNMT, f"cat >&2 <<'END'\n{JOEYNMT_TRAINING}END\n")
    peer.train(60)
    config = config_of(peer)
    assert (peer.directory / "train.target").read_text() == "▁ein ▁Hund\n▁Ka tze\n"
    assert (peer.directory / "vocabulary.txt").read_text() == "▁a\n▁do\ng\n▁cat\n"
    assert config["data"]["special_symbols"]["unk_token"] == "<unk>"
    assert [config["data"]["special_symbols"][f"{name}_id"] for name in ("unk", "pad", "bos", "eos")] == [0, 1, 2, 3]
    assert config["training"]["updates"] == 60
    assert config["training"]["validation_freq"] % config["training"]["logging_freq"] == 0
    assert config["model"]["encoder"]["hidden_size"] * 2 == config["model"]["decoder"]["hidden_size"] == 512


def test_the_files_of_yoyodyne(tmp_path: Path) -> None:
    peer = prepared(tmp_path, Yoyodyne, f"cat <<'END'\n{YOYODYNE_TRAINING}END\n")
    peer.train(60)
    config = config_of(peer)
    with (peer.directory / "train.tsv").open(newline="") as file:
        assert list(csv.reader(file, delimiter="\t")) == [["▁a ▁do g", "▁ein ▁Hund"], ['" ▁cat', "▁Ka tze"]]
    assert config["trainer"]["max_steps"] == config["checkpoint"]["every_n_train_steps"] == 60
    assert (config["data"]["source_sep"], config["data"]["target_sep"]) == (" ", " ")
    assert config["model"]["init_args"]["source_encoder"]["init_args"]["hidden_size"] == 256
    assert_clock_is_there(peer, config)


def test_the_files_of_marian(tmp_path: Path) -> None:
    peer = prepared(tmp_path, Marian, f"echo $@; cat >&2 <<'END'\n{MARIAN_TRAINING}END\n")
    peer.train(60)
    config = config_of(peer)
    assert (peer.directory / "train.source").read_text() == '▁a ▁do g\n" ▁cat\n'
    assert (peer.directory / "vocabulary.txt").read_text() == "</s>\n<unk>\n▁a\n▁do\ng\n▁cat\n"
    assert (config["after"], config["mini-batch"], config["cpu-threads"]) == ("60u", 64, 1)
    program, *words = (peer.directory / "train.out").read_text().split()
    assert Path(program).is_file()
    assert words == ["train", "train.yaml"]


def test_marian_is_not_measured_on_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its package runs on the CPU alone"):
        prepared(tmp_path, Marian, device="cuda")


def assert_clock_is_there(peer: Peer, config: dict) -> None:
    """The callback of a config is in a module that was copied."""
    module, _, callback = config["trainer"]["callbacks"][0]["class_path"].partition(".")
    assert f"class {callback}(" in (peer.directory / "parts" / f"{module}.py").read_text()


@pytest.mark.parametrize(("device", "seen"), [("cpu", ""), ("cuda", "0"), ("cuda:1", "1")])
def test_the_device_is_in_the_configs_and_the_environment(
    tmp_path: Path, device: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options of a GPU; whether the toolkits run on one is not tested."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("opennmt", "joeynmt", "yoyodyne"):
        (tmp_path / name).mkdir()
    script = f"echo \"sees '$CUDA_VISIBLE_DEVICES'\"; cat >&2 <<'END'\n{OPENNMT_TRAINING}END\n"
    opennmt = prepared(tmp_path / "opennmt", OpenNMT, script, device)
    opennmt.train(60)
    assert (opennmt.directory / "train.out").read_text() == f"sees '{seen}'\n"
    assert config_of(opennmt).get("gpu_ranks") == ([0] if seen else None)
    (opennmt.directory / "checkpoints").mkdir(exist_ok=True)
    (opennmt.directory / "checkpoints" / "opennmt_step_60.pt").touch()
    translating = f"cp translated.source hypotheses.pieces; echo $@; cat >&2 <<'END'\n{OPENNMT_TRANSLATION}END\n"
    stand_in(opennmt, "onmt_translate", translating)
    opennmt.translate(beam_size=5, batch_size=32)
    assert ("-gpu 0" in (opennmt.directory / "translate.out").read_text()) is bool(seen)
    joeynmt = prepared(tmp_path / "joeynmt", JoeyNMT, f"cat >&2 <<'END'\n{JOEYNMT_TRAINING}END\n", device)
    joeynmt.train(60)
    assert config_of(joeynmt)["use_cuda"] is bool(seen)
    yoyodyne = prepared(tmp_path / "yoyodyne", Yoyodyne, f"cat <<'END'\n{YOYODYNE_TRAINING}END\n", device)
    yoyodyne.train(60)
    assert config_of(yoyodyne)["trainer"]["accelerator"] == ("gpu" if seen else "cpu")


def test_gpus_are_counted_among_those_that_a_cluster_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6")
    assert [Hardware(1, device).variables()["CUDA_VISIBLE_DEVICES"] for device in ("cpu", "cuda", "cuda:1")] == [
        "", "4", "6",
    ]  # fmt: skip


def test_opennmt_translates(tmp_path: Path) -> None:
    peer = prepared(tmp_path, OpenNMT)
    (peer.directory / "checkpoints").mkdir()
    (peer.directory / "checkpoints" / "opennmt_step_60.pt").touch()
    script = f"cp translated.source hypotheses.pieces; echo $@; cat >&2 <<'END'\n{OPENNMT_TRANSLATION}END\n"
    stand_in(peer, "onmt_translate", script)
    translation = peer.translate(beam_size=5, batch_size=32)
    assert translation.hypotheses == ["a dog", "", "cat"]
    assert translation.search_seconds == 4.5
    assert translation.wall_seconds > 0
    assert "-beam_size 5 -batch_size 32" in (peer.directory / "translate.out").read_text()


def test_joeynmt_translates(tmp_path: Path) -> None:
    peer = prepared(tmp_path, JoeyNMT, f"cat; cat >&2 <<'END'\n{JOEYNMT_TRANSLATION}END\n")
    (peer.directory / "checkpoints").mkdir()
    (peer.directory / "checkpoints" / "latest.ckpt").touch()
    translation = peer.translate(beam_size=5, batch_size=32)
    assert translation.hypotheses == ["a dog", "", "cat"]
    assert translation.search_seconds == 11.7726
    testing = config_of(peer, "translate.yaml")["testing"]
    assert (testing["beam_size"], testing["batch_size"]) == (5, 32)


def test_marian_translates(tmp_path: Path) -> None:
    peer = prepared(tmp_path, Marian, 'echo "search took 2.500000 seconds"; cp "$4" "$5"\n')
    (peer.directory / "checkpoints").mkdir()
    (peer.directory / "checkpoints" / "marian.npz").touch()
    translation = peer.translate(beam_size=5, batch_size=32)
    assert translation.hypotheses == ["a dog", "", "cat"]
    assert translation.search_seconds == 2.5
    options = config_of(peer, "translate.yaml")
    assert (options["beam-size"], options["mini-batch"], options["normalize"]) == (5, 32, 1.0)


def test_translations_that_are_missing_are_an_error(tmp_path: Path) -> None:
    peer = prepared(tmp_path, JoeyNMT, f"head -n 1; cat >&2 <<'END'\n{JOEYNMT_TRANSLATION}END\n")
    (peer.directory / "checkpoints").mkdir()
    (peer.directory / "checkpoints" / "latest.ckpt").touch()
    with pytest.raises(RunFailed, match="1 translations of 2 sentences"):
        peer.translate(beam_size=5, batch_size=32)


@pytest.mark.parametrize("peer_class", PEERS.values())
def test_without_training_there_is_nothing_to_translate_with(tmp_path: Path, peer_class: type[Peer]) -> None:
    with pytest.raises(UserError, match="train it first"):
        prepared(tmp_path, peer_class).translate(beam_size=5, batch_size=32)


@pytest.mark.parametrize(
    ("beam_size", "written"),
    [(1, "▁a ▁do g\n▁cat\n"), (5, '▁a ▁do g\t-1.5\t▁a\t-2.5\n""" ▁cat"\t-0.5\t▁cat\t-3.5\n')],
)
def test_yoyodyne_translates(tmp_path: Path, beam_size: int, written: str) -> None:
    """A beam's hypotheses are the columns of a TSV, with their scores between them."""
    script = f"cat > hypotheses.tsv <<'END'\n{written}END\necho $@; echo search took 2.125000 seconds\n"
    peer = prepared(tmp_path, Yoyodyne, script)
    (peer.directory / "checkpoints").mkdir()
    (peer.directory / "checkpoints" / "yoyodyne.ckpt").touch()
    translation = peer.translate(beam_size=beam_size, batch_size=32)
    assert translation.hypotheses == (["a dog", "", "cat"] if beam_size == 1 else ["a dog", "", '" cat'])
    assert translation.search_seconds == 2.125
    with (peer.directory / "translated.tsv").open(newline="") as file:
        assert list(csv.reader(file, delimiter="\t")) == [["▁a ▁do g"], ["▁cat"]]
    config = config_of(peer, "translate.yaml")
    assert_clock_is_there(peer, config)
    assert config["data"]["predict"] == "translated.tsv"
    assert (config["data"]["batch_size"], config["model"]["init_args"]["beam_width"]) == (32, beam_size)
    assert "checkpoints/yoyodyne.ckpt" in (peer.directory / "translate.out").read_text()


def test_files_that_are_not_parallel_are_an_error(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "corpus")
    corpus.train_target.write_text("▁ein\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"3 lines, but .* has 1"):
        OpenNMT(tmp_path).prepare(corpus, Hardware(1))

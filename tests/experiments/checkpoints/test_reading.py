"""Bad checkpoints: each is one clear line, and nothing of a malicious one runs."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.errors import UserError
from experiments.checkpoints.reading import read_checkpoint
from experiments.storage.layout import find_checkpoint
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write


class Malicious:
    """Leaves a canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.canary,)


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that appears where something ran that must not; importing the module ``evil`` is enough."""
    canary = tmp_path / "canary"
    (tmp_path / "evil.py").write_text(
        f"open({str(canary)!r}, 'w').close()\nclass Part:\n    def __init__(self, *args): ...\ndef call(*args): ...\n"
    )
    (tmp_path / "evil.yaml").write_text("class_path: evil.Part\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return canary


def refusal(path: Path, trusted: tuple[str, ...] = ()) -> str:
    with pytest.raises(UserError) as caught:
        read_checkpoint(path, trusted)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_good_checkpoint(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    loaded = read_checkpoint(write(tmp_path / "best.ckpt", checkpoint))
    assert loaded.keys() == checkpoint.keys()
    assert loaded["hyper_parameters"] == checkpoint["hyper_parameters"]
    torch.testing.assert_close(loaded["state_dict"], checkpoint["state_dict"], rtol=0, atol=0)


def test_missing(tmp_path: Path) -> None:
    assert "no *.ckpt at all" in refusal(tmp_path / "best.ckpt")
    (tmp_path / "best.ckpt").touch()
    assert "did you mean 'best.ckpt'?" in refusal(tmp_path / "bset.ckpt")
    assert "does not exist" in refusal(tmp_path / "no" / "best.ckpt")
    assert "is a directory" in refusal(tmp_path)


def test_a_run_directory_means_its_best_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"without best\.ckpt or last\.ckpt"):
        find_checkpoint(tmp_path)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "last.ckpt").touch()
    assert find_checkpoint(tmp_path) == checkpoints / "last.ckpt"
    (checkpoints / "best.ckpt").touch()
    assert find_checkpoint(tmp_path) == find_checkpoint(checkpoints) == checkpoints / "best.ckpt"
    assert find_checkpoint(tmp_path / "other.ckpt") == tmp_path / "other.ckpt"


def test_not_a_checkpoint(tmp_path: Path) -> None:
    text = tmp_path / "notes.ckpt"
    text.write_text("these are notes\n" * 100)
    assert "is not a checkpoint" in refusal(text)
    (tmp_path / "empty.ckpt").touch()
    assert "is empty" in refusal(tmp_path / "empty.ckpt")
    plain = tmp_path / "plain.ckpt"
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("notes.txt", "these are notes")
    assert "is a zip file, but not a checkpoint" in refusal(plain)
    assert "holds a Tensor" in refusal(write(tmp_path / "tensor.ckpt", torch.zeros(3)))
    assert "has no 'state_dict'" in refusal(write(tmp_path / "dict.ckpt", {"weights": torch.zeros(3)}))
    assert "has no 'pytorch-lightning_version'" in refusal(write(tmp_path / "weights.ckpt", {"state_dict": {}}))
    odd = write(tmp_path / "odd.ckpt", {"state_dict": {"a": 3}, "pytorch-lightning_version": "2.6.6"})
    assert "other things than tensors" in refusal(odd)


def test_truncated_anywhere(tmp_path: Path, seed: int) -> None:
    whole = write(tmp_path / "whole.ckpt", tiny_checkpoint()).read_bytes()
    path = tmp_path / "half.ckpt"
    chosen = random.Random(seed)
    for size in [1, 3, 4, 100, len(whole) - 1, *(chosen.randrange(1, len(whole)) for _ in range(20))]:
        path.write_bytes(whole[:size])
        message = refusal(path)
        assert "truncated or damaged" in message or size < 4


def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path, seed: int) -> None:
    original = tiny_checkpoint()
    whole = write(tmp_path / "whole.ckpt", original).read_bytes()
    path = tmp_path / "flipped.ckpt"
    chosen = random.Random(seed)
    messages = []
    for _ in range(150):
        flipped = bytearray(whole)
        flipped[chosen.randrange(len(whole))] ^= 1 << chosen.randrange(8)
        path.write_bytes(flipped)
        try:
            loaded = read_checkpoint(path)
        except UserError as error:
            messages.append(str(error))
        else:
            assert loaded["hyper_parameters"] == original["hyper_parameters"]
            torch.testing.assert_close(loaded["state_dict"], original["state_dict"], rtol=0, atol=0)
    assert messages
    assert all(str(path) in message and "\n" not in message for message in messages)


def test_a_flipped_bit_in_a_weight_is_named(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    whole = bytearray(write(tmp_path / "whole.ckpt", checkpoint).read_bytes())
    weight = checkpoint["state_dict"]["output.bias"].numpy().tobytes()
    whole[whole.index(weight)] ^= 1
    path = tmp_path / "flipped.ckpt"
    path.write_bytes(whole)
    assert "is damaged: the record" in refusal(path)


def test_a_record_that_is_called_a_directory(tmp_path: Path) -> None:
    """Torch would leave its weights as the memory happens to be."""
    whole = bytearray(write(tmp_path / "whole.ckpt", tiny_checkpoint()).read_bytes())
    central_header = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"/data/3"))
    whole[central_header + 38] |= 0x10
    path = tmp_path / "flipped.ckpt"
    path.write_bytes(whole)
    assert "is damaged: the record" in refusal(path)


def test_a_pickled_object_does_not_run(tmp_path: Path, canary: Path) -> None:
    path = write(tmp_path / "malicious.ckpt", {**tiny_checkpoint(), "extra": Malicious(canary)})
    message = refusal(path)
    assert "nothing of it was loaded" in message
    assert "pickled objects (" in message
    assert not canary.exists()


def test_a_class_of_torch_and_what_holds_itself(tmp_path: Path) -> None:
    """Torch's reader lets both through."""
    endless: list[object] = []
    endless.append(endless)
    for extra in (torch.FloatStorage, endless):
        path = write(tmp_path / "odd.ckpt", {**tiny_checkpoint(), "extra": [extra]})
        torch.load(path, weights_only=True)
        assert "cannot be read as tensors and plain values" in refusal(path)


def test_a_pickle_that_is_no_pickle(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.ckpt", tiny_checkpoint())
    path = tmp_path / "odd.ckpt"
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(path, "w") as other:
        for name in archive.namelist():
            other.writestr(name, b"nonsense" if name.endswith("data.pkl") else archive.read(name))
        for record in other.infolist():
            record.external_attr = 0
    assert "cannot be read as tensors and plain values" in refusal(path)


def search(value: object) -> dict[str, Any]:
    checkpoint = tiny_checkpoint()
    checkpoint["hyper_parameters"]["test_search"] = value
    return checkpoint


def part(class_path: str, **arguments: object) -> dict[str, Any]:
    return search({"class_path": class_path, "init_args": arguments})


BEAM = "lightning_modules.decoding.beam.BeamSearch"


@pytest.mark.parametrize(
    "value",
    [
        {"class_path": "evil.Part"},
        {"class_path": BEAM, "init_args": {"inner": {"class_path": "evil.Part"}}},
        {"class_path": BEAM, "dict_kwargs": {"inner": [{"class_path": "evil.Part"}]}},
        {"class_path": BEAM, "init_args": "evil.yaml"},
        {"class_path+": "evil.Part"},
        "evil.Part",
        "evil.yaml",
        "evil",
        "{class_path: evil.Part}",
        '{"class_path": "evil\\u002ePart"}',
        "class_path: evil.Part\n",
        ["evil.Part"],
    ],
)
def test_a_class_of_an_unknown_package_is_not_imported(tmp_path: Path, canary: Path, value: object) -> None:
    message = refusal(write(tmp_path / "stranger.ckpt", search(value)))
    assert "nothing of it was run" in message
    assert not canary.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"_class_path": "evil.Part"},
        {"_instantiator": "evil.call"},
        {"optimizer": "evil.call"},
        {"val_search.class_path": "evil.Part"},
        {"_class_path": ["evil.Part"]},
    ],
)
@pytest.mark.parametrize("key", ["hyper_parameters", "datamodule_hyper_parameters"])
def test_nor_are_model_and_data_of_one(tmp_path: Path, canary: Path, key: str, change: dict[str, Any]) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint[key].update(change)
    refusal(write(tmp_path / "stranger.ckpt", checkpoint))
    assert not canary.exists()


def test_nor_is_a_tokenizer_of_one(tmp_path: Path, canary: Path) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint["TranslationDataModule"]["target_tokenizer"]["class_path"] = "evil.Part"
    assert "add --trust evil" in refusal(write(tmp_path / "stranger.ckpt", checkpoint))
    checkpoint = tiny_checkpoint()
    checkpoint["datamodule_hyper_parameters"]["tokenizer"] = "evil.Part"
    assert "add --trust evil" in refusal(write(tmp_path / "stranger.ckpt", checkpoint))
    assert not canary.exists()


@pytest.mark.parametrize(
    "class_path",
    [
        "torch.hub.load",
        "torch.load",
        "torch.utils.cpp_extension.load",
        "torch.package.PackageImporter",
        "os.system",
        "lightning.pytorch.cli.instantiate_module",
        "lightning.pytorch.Trainer",
        "lightning_modules.token_encoder_decoder.torch.hub.load",
        "lightning_modules.token_encoder_decoder.torch",
        "lightning_modules.nmt.TokenEncoderDecoder.load_from_checkpoint",
        "lightning_modules.layers.initialisation.initialise",
        "torch.nn.functional.relu",
        "datamodules.__main__.Part",
        "datamodules.tokenizers.hashlib.sha256",
        "datamodules",
        "../evil",
        "",
    ],
)
def test_a_callable_that_is_no_class_of_ours_is_refused(tmp_path: Path, class_path: str) -> None:
    refusal(write(tmp_path / "stranger.ckpt", part(class_path)))


def test_a_class_that_is_gone(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "old.ckpt", part("lightning_modules.decoding.beam.OldSearch")))
    assert "OldSearch, which does not exist here" in message


def test_a_class_of_a_script_is_told_as_such(tmp_path: Path) -> None:
    """Whatever script reads the file is another one."""
    message = refusal(write(tmp_path / "scripted.ckpt", part("__main__.Part")), ("__main__",))
    assert "names __main__.Part, which was defined in the script that wrote it" in message


@pytest.mark.parametrize("trusted", ["evil", "evil.Part"])
def test_a_trusted_package_may_be_named(tmp_path: Path, canary: Path, trusted: str) -> None:
    path = write(tmp_path / "friend.ckpt", part("evil.Part", size=3))
    assert read_checkpoint(path, (trusted,))["hyper_parameters"]["test_search"]["class_path"] == "evil.Part"
    assert "--trust evil" in refusal(path, ("evi",))


def test_trust_in_one_package_is_none_in_another(tmp_path: Path, canary: Path) -> None:
    path = write(tmp_path / "stranger.ckpt", part("os.PathLike", name={"class_path": "evil.Part"}))
    assert "add --trust evil" in refusal(path, ("os",))
    path = write(tmp_path / "stranger.ckpt", part("os.PathLike", name="evil.Part"))
    refusal(path, ("os",))
    assert not canary.exists()


def test_classes_of_torch_and_file_names_of_data_may_be_named(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint["hyper_parameters"]["optimizer"] = {"class_path": "torch.optim.Muon", "init_args": {"lr": 1e-3}}
    checkpoint["hyper_parameters"]["scheduler"] = {
        "class_path": "lightning.pytorch.cli.ReduceLROnPlateau",
        "init_args": {"monitor": "val/loss", "mode": "min"},
    }
    checkpoint["datamodule_hyper_parameters"]["train"] = {"tsv": "evil.tsv"}
    checkpoint["datamodule_hyper_parameters"]["cache_directory"] = "/tmp/some.where"
    read_checkpoint(write(tmp_path / "best.ckpt", checkpoint))


def test_a_stream_written_by_torch_has_checksums(tmp_path: Path) -> None:
    """What the check of damaged files rests on."""
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(10)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        assert all(record.CRC for record in archive.infolist() if record.file_size)

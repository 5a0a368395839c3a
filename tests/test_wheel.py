"""The wheel: installed away from the repository, with all that it needs, and with what translating needs alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.experiments.pieces_checkpoint import pieces_checkpoint, sentences
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

PROJECT = Path(__file__).parents[1]
SOURCES = ("datamodules", "lightning_modules", "experiments", "configs")
FILES = ("seqlab.py", "pyproject.toml", "README.md", "LICENSE")
OFFLINE = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")

pytestmark = pytest.mark.long


def pip(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "pip", *map(str, words)], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy: a build leaves its own folders beside the sources."""
    place = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copytree(PROJECT / name, place / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, place / "source")
    pip("wheel", place / "source", *OFFLINE, "--wheel-dir", place)
    (built,) = place.glob("seqlab-*.whl")
    return built


class Environment:
    """A fresh virtual environment with the wheel; ``away`` is an empty directory to work in."""

    def __init__(self, place: Path, wheel: Path) -> None:
        venv.create(place / "venv", symlinks=True)
        self.binaries = place / "venv" / "bin"
        self.packages = place / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        self.away = place / "away"
        self.away.mkdir()
        pip("--python", self.binaries / "python", "install", "--no-deps", "--no-index", "--quiet", wheel)

    def run(self, program: str, *words: object, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment in the empty directory."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [self.binaries / program, *map(str, words)],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.away,
            env={**inherited, "SEQLAB_CACHE": str(self.away.parent / "cache"), "WANDB_MODE": "disabled", **variables},
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """With the packages that the tests have."""
    made = Environment(tmp_path_factory.mktemp("installed"), wheel)
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (made.packages / "base.pth").write_text("".join(f"{path}\n" for path in paths))
    return made


def required(names: Iterable[str]) -> dict[str, Distribution]:
    """The distributions, and those that they require in turn."""
    found: dict[str, Distribution] = {}
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        wanted = map(Requirement, found[name].requires or [])
        open_names += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def top_levels(names: Iterable[str]) -> Iterator[Path]:
    for each in required(names).values():
        for name in {file.parts[0] for file in each.files or [] if not file.parts[0].startswith("..")}:
            yield Path(str(each.locate_file(name)))


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """With torch, numpy, sentencepiece, and what those require, alone."""
    made = Environment(tmp_path_factory.mktemp("lean"), wheel)
    for path in top_levels(["torch", "numpy", "sentencepiece"]):
        if path.exists() and not (made.packages / path.name).exists():
            (made.packages / path.name).symlink_to(path)
    return made


def test_it_has_the_configs(installed: Environment) -> None:
    listed = installed.run("seqlab", "configs")
    assert listed.returncode == 0, listed.stderr
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert names == sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "configs").rglob("*.yaml"))
    assert "  The embedded default: dates in words, English to French." in listed.stdout
    studies = installed.run("seqlab", "study")
    assert re.search(r"^  bottleneck +How does accuracy fall with length", studies.stdout, re.MULTILINE)


def test_it_trains_an_experiment_of_its_own_in_an_empty_directory(installed: Environment) -> None:
    small = ["--data.init_args.train_size", "64", "--data.init_args.val_size", "8", "--trainer.max_steps", "1"]
    trained = installed.run("seqlab", "fit", "--config", "configs/seq2seq/reversal.yaml", *small)
    assert trained.returncode == 0, trained.stderr
    assert (installed.away / "runs" / "reversal" / "1" / "config.yaml").is_file()


def test_the_explorers_page_comes_with_it(installed: Environment) -> None:
    write(installed.away / "tiny.ckpt", tiny_checkpoint())
    (installed.away / "lines").write_text("abc\n")
    options = ["--ckpt_path", "tiny.ckpt", "--input", "lines", "--export", "page.html"]
    exported = installed.run("seqlab", "explore", *options)
    assert exported.returncode == 0, exported.stderr
    page = (installed.away / "page.html").read_text(encoding="utf-8")
    modules = [path.name for path in (PROJECT / "experiments" / "explorer" / "page").glob("*.js")]
    assert all(f'modules["{name}"] = ' in page for name in modules)
    assert "<style>:root" in page


def test_torch_numpy_and_the_tokenizers_package_are_enough_to_translate(
    lean: Environment, installed: Environment
) -> None:
    text = "".join(f"{line}\n" for line in ["", *sentences(5)])
    for each in (lean, installed):
        write(each.away / "pieces.ckpt", pieces_checkpoint())
    found = lean.run("python", "-m", "seqlab", "translate", "--ckpt_path", "pieces.ckpt", given=text)
    assert found.returncode == 0, found.stderr
    assert found.stdout == installed.run("seqlab", "translate", "--ckpt_path", "pieces.ckpt", given=text).stdout
    assert len(found.stdout.splitlines()) == len(set(found.stdout.splitlines())) == 6


def test_nor_does_a_service_or_a_score_need_more(lean: Environment) -> None:
    write(lean.away / "tiny.ckpt", tiny_checkpoint())
    script = lean.away / "service.py"
    script.write_text(
        "import sys, seqlab\n"
        "print(seqlab.load('tiny.ckpt').translate(['abc'])[0].text)\n"
        "print(sorted({'lightning', 'wandb', 'matplotlib', 'yaml'} & set(sys.modules)))\n"
    )
    served = lean.run("python", script)
    assert served.returncode == 0, served.stderr
    text, imported = served.stdout.splitlines()
    assert imported == "[]"
    (lean.away / "source").write_text("abc\n")
    (lean.away / "target").write_text(f"{text}\n")
    scored = lean.run("seqlab", "score", "--ckpt_path", "tiny.ckpt", "--source", "source", "--target", "target")
    assert scored.returncode == 0, scored.stderr
    assert "1 pairs" in scored.stderr


def test_results_of_a_study_are_read(lean: Environment) -> None:
    told = "panel,variant,seed,status,error,started,updates,parameters,data_order,seconds,run,commit,configs"
    header = f"{told},command,test_command"
    (lean.away / "results.csv").write_text(f"{header},val/loss\n,a,1,finished,,,3,,,2.5,,,,,,0.5\n")
    read = lean.run("python", "-c", "import seqlab; print(seqlab.study_results('results.csv')[0]['val/loss'])")
    assert read.stdout == "0.5\n", read.stderr


def test_what_needs_more_says_so_in_one_line(lean: Environment) -> None:
    refused = lean.run("seqlab", "fit", "--config", "configs/nmt/dates.yaml")
    assert refused.returncode == 2
    assert refused.stderr.startswith("seqlab: error: the package lightning is not installed, and this command needs it")
    assert refused.stderr.count("\n") == 1


def test_a_folder_that_hides_a_package_is_named_in_one_line(installed: Environment) -> None:
    own = installed.away / "mine" / "experiments"
    own.mkdir(parents=True)
    (own / "__init__.py").touch()
    refused = installed.run("seqlab", "translate", PYTHONPATH=str(own.parent))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"seqlab: error: {own} hides seqlab's own package 'experiments'")
    assert refused.stderr.count("\n") == 1
    script = own.parent / "script.py"
    script.write_text("import seqlab\nseqlab.load('x.ckpt')\n")
    failed = installed.run("python", script)
    assert failed.stderr.splitlines()[-1].startswith(f"ImportError: {own} hides seqlab's own package 'experiments'")

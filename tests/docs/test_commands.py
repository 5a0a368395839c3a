"""Every ``seqlab`` command on a page: the command's own parser takes it."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import pytest

from datamodules.errors import UserError
from experiments.baselines.command import BaselineCLI
from experiments.cli import COMMANDS, LIGHTNING, main
from experiments.config.shipped_configs import find_config
from experiments.config.tool_parser import ToolParser
from experiments.runs import lightning_cli
from experiments.slurm.command import _parser as job_parser
from tests.docs.pages import PROJECT, blocks, inline, pages

COMMAND = re.compile(r"^(?:.*[|] |.*&& )?(?:\.venv/bin/)?seqlab (?=[a-z])(.*)$", re.MULTILINE)
END = re.compile(r" (?:[|>;]|&&|2>|# )")
STANDS_FOR_OTHERS = re.compile(r"\.\.\.|[\[\]|]|\b[A-Z]{2,}\b|\b[CXYFK]\b")
"""What a command has that is no command yet: an ellipsis, a choice, a name in capitals."""

EXPERIMENT = "configs/nmt/dates.yaml"
"""Stands for a config that only the reader has."""


class Parsed(BaseException):
    """The parser took the command: nothing of it is to run."""


def typed() -> dict[str, str]:
    """Each command that stands in a block of its own, to be typed, and its page."""
    found: dict[str, str] = {}
    for path, text in pages():
        for word, code in blocks(text):
            for line in COMMAND.findall(code.replace("\\\n", " ")) if word in ("", "sh", "bash") else ():
                command = END.split(f"{line} ")[0].strip()
                if not STANDS_FOR_OTHERS.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
                    found.setdefault(command, str(path.relative_to(PROJECT)))
    return found


def commented() -> dict[str, str]:
    """Each command of a tool in the comment at the head of a config, and the config."""
    found: dict[str, str] = {}
    for path in sorted((PROJECT / "configs").rglob("*.yaml")):
        head = "".join(takewhile(lambda line: line.startswith("#"), path.read_text("utf-8").splitlines(keepends=True)))
        for line in COMMAND.findall(re.sub(r"^# *", "", head.replace("\\\n#", " "), flags=re.MULTILINE)):
            command = END.split(f"{line} ")[0].strip()
            tool = COMMANDS[command.split()[0]].module != LIGHTNING
            if tool and not STANDS_FOR_OTHERS.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
                found.setdefault(command, str(path.relative_to(PROJECT)))
    return found


def named() -> dict[str, str]:
    """Each command that a line of text speaks of, whole or in part, and its page."""
    return {
        command: str(path.relative_to(PROJECT))
        for path, text in pages()
        for each in inline(text)
        for command in COMMAND.findall(each)
    }


def known_configs(words: list[str]) -> list[str]:
    """The words, with a config that comes with seqlab in place of those that only the reader has."""
    has_config = False
    made = list(words)
    for place, word in enumerate(words):
        if word in ("--config", "-c"):
            has_config = True
            if not find_config(Path(words[place + 1])).is_file():
                made[place + 1] = EXPERIMENT
    return made if has_config else [*made[:1], "--config", EXPERIMENT, *made[1:]]


@pytest.fixture
def parses_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands end when they are parsed; no checkpoint is looked for."""
    of_tools, of_baselines = ToolParser.parse_args, BaselineCLI.parse_arguments

    def parse(parser: ToolParser, *arguments: Any) -> NoReturn:  # noqa: ANN401 - argparse's signature
        of_tools(parser, *arguments)
        raise Parsed

    def parse_baselines(made: BaselineCLI, *arguments: Any) -> NoReturn:  # noqa: ANN401 - Lightning's signature
        of_baselines(made, *arguments)
        raise Parsed

    def parsed(*arguments: object) -> NoReturn:
        raise Parsed

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ToolParser, "parse_args", parse)
    monkeypatch.setattr(BaselineCLI, "parse_arguments", parse_baselines)
    monkeypatch.setattr(lightning_cli, "chosen_checkpoint", parsed)
    monkeypatch.setattr(lightning_cli, "with_config_of_run", list)


def complaint(command: str) -> str | None:
    """What the command's parser says against it; None for nothing."""
    words = shlex.split(command)
    if words[0] not in COMMANDS:
        return f"there is no command {words[0]}"
    if words[0] == "slurm":  # what it does not know is for fit
        words = ["fit", *job_parser().parse_known_args(words[1:])[1]]
    if COMMANDS[words[0]].module == LIGHTNING:
        words = known_configs(words)
    try:
        main(["--debug", *words])
    except (Parsed, SystemExit):  # --help and --print_config leave so
        return None
    except UserError as error:
        return str(error)
    return None


@pytest.mark.usefixtures("parses_alone")
def test_every_command_is_parsed() -> None:
    of_pages, of_configs = typed(), commented()
    assert len(of_pages) > 60
    assert len(of_configs) > 30
    commands = of_pages | of_configs
    told = {f"{page}: seqlab {command}": complaint(command) for command, page in commands.items()}
    assert [f"{where}: {what}" for where, what in told.items() if what] == []


def test_commands_that_the_text_speaks_of_have_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    helps: dict[str, str] = {}
    unknown = []
    for command, page in named().items():
        name = command.split()[0]
        if name not in COMMANDS:
            unknown.append(f"{page}: seqlab {command}")
            continue
        if name not in helps:
            with suppress(SystemExit):
                main([name, "--help"])
            helps[name] = capsys.readouterr().out
        options = re.findall(r"(?<= )--[a-z_-]+(?![\w.])", command)
        unknown += [f"{page}: seqlab {command}: {option}" for option in options if option not in helps[name]]
    assert unknown == []


@pytest.mark.usefixtures("parses_alone")
def test_a_wrong_one_is_told() -> None:
    for command in (
        "translate --ckpt_path X --beamsize 5",
        "fit --config configs/nmt/dates.yaml --model.init_args.dropuot 1",
        "study recurrence --panel captions reversal",
    ):
        assert complaint(command)
    assert complaint("fit --config configs/nmt/dates.yaml --model.init_args.dropout 0.1") is None

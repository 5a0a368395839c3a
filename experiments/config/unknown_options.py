"""Options and keys that a parser does not have, and what could be meant."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from difflib import get_close_matches
from pathlib import Path

from datamodules.errors import suggest
from experiments.config.given_values import CONFIG_SUFFIXES
from experiments.config.renamed import REPLACED_OPTIONS

ALL_OPTIONS = "in seqlab fit --help"
"""Where a list that is too long for a line can be seen."""


OPTIONS_OF_PARTS = "what model and data take is --model.init_args.NAME and --data.init_args.NAME"

OPTION = r"--(?!help$|print_shtab$).*[^+]"
"""Options that are worth a mention."""


def is_unknown(parser: ArgumentParser, key: str) -> bool:
    """Whether a config's key, of the first level or the second, leads to no option.

    What is in a part, which has a class of its own, is not looked at.
    """
    options = {name[2:] for each in parser._actions for name in each.option_strings if not name.endswith(".help")}

    def leads(to: str) -> bool:
        return to in options or any(option.startswith(f"{to}.") for option in options)

    group, _, inner = key.partition(".")
    looked_at = not inner or any(option.startswith(f"{group}.") for option in options)
    return looked_at and not leads(key)


def unknown_option(parser: ArgumentParser, given: str) -> str:
    """An option or key that a parser does not have; of a dotted one, the first word that is unknown counts."""
    if Path(given).suffix in CONFIG_SUFFIXES:
        return f"'{given}' stands alone: say --config {given}"
    options = [name[2:] for each in parser._actions for name in each.option_strings if re.fullmatch(OPTION, name)]
    first, *rest = given.lstrip("-").partition("=")[0].split(".")
    prefix = ""
    while rest and any(option.startswith(f"{prefix}{first}.") for option in options):
        prefix, first, *rest = f"{prefix}{first}.", *rest
    known = {option.removeprefix(prefix).partition(".")[0] for option in options if option.startswith(prefix)}
    if REPLACED_OPTIONS.get(first) in known:
        return f"unknown option '{given}': '{REPLACED_OPTIONS[first]}' has taken its place"
    hint = suggest(first, known, ALL_OPTIONS)
    if "model" in known and not get_close_matches(first, known):
        deeper = {option.rpartition(".")[2]: f"--{option}" for option in options if "." in option}
        close = [repr(deeper[name]) for name in get_close_matches(first, deeper)]
        hint = f"did you mean {' or '.join(close)}? {hint}" if close else f"{hint}; {OPTIONS_OF_PARTS}"
    return f"unknown option '{given}': {hint}"

"""``seqlab card``: a checkpoint and what is known of it, as a folder for a model hub."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.config.tool_parser import ToolParser, add_checkpoint_option, add_trust_option
from experiments.storage.layout import find_checkpoint
from experiments.storage.shell import quoted
from experiments.storage.whole_folder import check_folder, whole_folder

README = "README.md"

EPILOG = """\
The folder gets README.md, a model card with front matter in YAML; the checkpoint without what only a resumed training
needs; and config.yaml of its run. What the card says is what the checkpoint and the files of its run say: scores are
those that a validation or seqlab test logged for just these weights, and what was not measured is called so. Nothing is
sent anywhere. The card has the command and the paths of the training: read it before you publish it.

examples:
  seqlab card --ckpt_path runs/dates/1 --licence mit --language en fr
  seqlab card --ckpt_path best.ckpt --output dates-en-fr
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab card``.

    Returns:
        The exit status.

    Raises:
        UserError: The checkpoint cannot be read or does not translate, or the output is there already.
        RunFailed: The output cannot be written.
    """
    given = _parser().parse_args(arguments)
    path = find_checkpoint(given.ckpt_path)
    output = given.output or path.with_name(f"{path.stem}-card")
    check_folder(output, given.overwrite)
    from experiments.cards.card import card
    from experiments.cards.facts import Facts
    from experiments.checkpoints.checkpoint_io import save_checkpoint
    from experiments.checkpoints.reading import TRAINING_STATE, load_archive, read_checkpoint
    from experiments.storage.layout import CONFIG

    facts = Facts.of(read_checkpoint(path, given.trust), path)
    whole = load_archive(path)  # as the file has it, be its weights of eight bits
    with whole_folder(output) as folder:
        save_checkpoint({key: value for key, value in whole.items() if key not in TRAINING_STATE}, folder / path.name)
        if facts.config_text is not None:
            (folder / CONFIG).write_text(facts.config_text, encoding="utf-8")
        text = card(facts, given.licence, given.language, given.tags)
        (folder / README).write_text(text, encoding="utf-8")
        sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    for name, size in sizes.items():
        print(f"{output / name}  {size:,} bytes")
    scores = len(facts.scores)
    measured = f"{scores} scores of these weights" if scores else "no score of these weights: seqlab test measures them"
    print(f"{measured}\nnext: read {quoted(output / README)}, then push the folder to a hub")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab card",
        description="Writes a folder that a model hub takes as it is: a checkpoint, its config and a model card.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_option(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the new folder (default: beside the checkpoint, as best-card)"
    )
    parser.add_argument("--licence", metavar="NAME", help="of the weights, as a hub writes it: mit, cc-by-4.0")
    parser.add_argument("--language", nargs="+", default=[], metavar="CODE", help="of source and target: en fr")
    parser.add_argument("--tags", nargs="+", default=[], metavar="WORD", help="more words to be found by")
    parser.add_argument("--overwrite", action="store_true", help="replace files that the folder has")
    add_trust_option(parser)
    return parser

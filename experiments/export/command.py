"""``seqlab export``: a model as graphs, for programs that do not have seqlab."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments.config.tool_parser import ToolParser, add_checkpoint_option, add_trust_option
from experiments.storage.layout import find_checkpoint
from experiments.storage.shell import quoted
from experiments.storage.whole_folder import check_folder, whole_folder

EPILOG = """\
The folder gets two graphs, encoder and step, the vocabularies, and model.json, which has the ids, the limit of length,
and names and shapes of all tensors. Batch and source may be of any size; a beam, a batch or a sample is made by whoever
calls the step. What was written is held against the model before it takes its place: a greedy search by each, at three
lengths and two batch sizes, has to give the same tokens, and log-probabilities that differ by 0.001 at most.

A checkpoint of seqlab quantise is written in float32. ONNX needs pip install 'seqlab[onnx]', TorchScript nothing more.

examples:
  seqlab export --ckpt_path runs/dates/1 --format onnx
  seqlab export --ckpt_path best.ckpt --format torchscript --output translator
"""

FORMATS = ("onnx", "torchscript")


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab export``.

    Returns:
        The exit status.

    Raises:
        UserError: The checkpoint cannot be read, does not translate, or has a part that cannot be exported; a package
            is missing; the output is there already.
        RunFailed: The graphs do not compute what the model does, or cannot be written.
    """
    given = _parser().parse_args(arguments)
    path = find_checkpoint(given.ckpt_path)
    output = given.output or path.with_name(f"{path.stem}-{given.format}")
    check_folder(output, given.overwrite)
    from experiments.checkpoints.loading import load_translator
    from experiments.export.checking import greatest_difference
    from experiments.export.description import DESCRIPTION, describe, write_tokenizer
    from experiments.export.format import Format
    from experiments.export.graphs import graphs_of
    from experiments.export.onnx_format import OnnxFormat
    from experiments.export.torchscript_format import TorchScriptFormat

    form: Format = OnnxFormat() if given.format == "onnx" else TorchScriptFormat()
    form.check()
    translator = load_translator(path, given.trust, "cpu", "float32")
    model = translator.members[0]
    graphs = graphs_of(model, form.recurrent, translator.copies_unknown)
    with whole_folder(output) as folder:
        names = [f"{graph}{form.suffix}" for graph in ("encoder", "step")]
        files = [folder / name for name in names]
        form.write(graphs, *files)
        difference = greatest_difference(model, graphs, *(form.load(file) for file in files))
        tokenizers = (
            write_tokenizer(translator.source_tokenizer, "source", folder),
            write_tokenizer(translator.target_tokenizer, "target", folder),
        )
        described = describe(translator, graphs, names, tokenizers, difference)
        (folder / DESCRIPTION).write_text(json.dumps(described, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    for name, size in sizes.items():
        print(f"{output / name}  {size:,} bytes")
    print(
        f"greedy search by the graphs: the tokens of {path}, log-probabilities within {difference:.1e}\n"
        f"next: docs/howto/export.md has a program of 30 lines that translates with {quoted(output)}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab export",
        description="Writes a checkpoint that translates as two graphs, in ONNX or TorchScript.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_option(parser)
    parser.add_argument("--format", choices=FORMATS, required=True, help="of the graphs")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the new folder (default: beside the checkpoint, as best-onnx)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that the folder has")
    add_trust_option(parser)
    return parser

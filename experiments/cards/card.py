"""A model card: Markdown for people, and front matter in YAML for a model hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import yaml

from datamodules.tokenizers import Tokenizer
from experiments.cards.facts import Facts, Score

NOT_RECORDED = "not recorded"
NOT_MEASURED = "not measured"


def card(facts: Facts, licence: str | None, languages: Sequence[str], tags: Sequence[str]) -> str:
    """The whole text of ``README.md``.

    Args:
        facts: What is known.
        licence: Of the weights, as the hub writes it: ``mit``, ``cc-by-4.0``; None where nobody said it.
        languages: Codes as ``en``, of source and target.
        tags: More words to be found by.
    """
    front = yaml.safe_dump(front_matter(facts, licence, languages, tags), sort_keys=False, allow_unicode=True)
    sections = [
        f"# {facts.name}",
        _what_it_does(facts),
        f"## Data\n\n{_data(facts)}",
        f"## Training\n\n{_training(facts)}",
        f"## Scores\n\n{_scores(facts.scores, facts.alike)}",
        f"## Limits\n\n{_limits(facts)}",
        f"## Use\n\n{_use(facts)}",
        f"## Licence\n\n{_licence(licence)}",
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def front_matter(facts: Facts, licence: str | None, languages: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
    """What a hub reads of a card; metrics are in the form of its ``model-index``.

    Args:
        facts: As :func:`card` takes them.
        licence: Likewise.
        languages: Likewise.
        tags: Likewise.
    """
    front: dict[str, Any] = {}
    if languages:
        front["language"] = list(languages)
    if licence is not None:
        front["license"] = licence
    front |= {"library_name": "seqlab", "tags": ["seqlab", "sequence-to-sequence", *tags]}
    results = [
        {
            "task": {"type": "translation"},
            "dataset": {"name": _dataset(facts), "type": _dataset(facts), "split": split},
            "metrics": [_metric(score) for score in facts.scores if score.split == split],
        }
        for split in ("val", "test")
        if any(score.split == split for score in facts.scores)
    ]
    if results:
        front["model-index"] = [{"name": facts.name, "results": results}]
    return front


def _metric(score: Score) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": score.kind, "name": score.name, "value": score.value}
    return metric if score.signature is None else {**metric, "args": {"signature": score.signature}}


def _dataset(facts: Facts) -> str:
    return _class_name(facts.data.get("_class_path")) or NOT_RECORDED


def _what_it_does(facts: Facts) -> str:
    parts = [
        f"its {part} is {', '.join(_classes(facts.model.get(part)))}"
        for part in ("encoder", "decoder")
        if _classes(facts.model.get(part))
    ]
    told = f": {', '.join(parts)}" if parts else ""
    kind = _class_name(facts.model.get("_class_path"))
    return (
        f"Reads a line of text and writes another, as it was trained to. Of seqlab it is the model {kind}{told}. "
        f"It has {facts.parameters:,} parameters."
    )


def _data(facts: Facts) -> str:
    settings = {name: value for name, value in facts.data.items() if not name.startswith("_")}
    if not settings:
        return f"Files and settings: {NOT_RECORDED}."
    about = (
        f"Trained on `{facts.data.get('_class_path', NOT_RECORDED)}` with these settings, which name its files, and "
        f"sizes where they were chosen:\n\n```yaml\n{yaml.safe_dump(settings, allow_unicode=True)}```\n\n"
    )
    if not facts.contents:
        return f"{about}Hashes of the text: {NOT_RECORDED}."
    rows = [(split, f"`{digest}`") for split, digest in facts.contents.items()]
    return f"{about}{_table(('split', 'SHA-256 of its pairs'), rows)}\n\nLicence of the data: {NOT_RECORDED}."


def _training(facts: Facts) -> str:
    record = facts.record
    machine = record.get("machine") or {}
    rows = [
        ("updates", f"{facts.updates:,}"),
        ("epochs begun", f"{facts.epoch + 1:,}"),
        ("seed", NOT_RECORDED if facts.seed is None else str(facts.seed)),
        ("average of", ", ".join(f"`{name}`" for name in facts.averaged_from)),
        ("command", f"`{record['command']}`" if record.get("command") else NOT_RECORDED),
        ("commit of seqlab", f"`{record['commit']}`" if record.get("commit") else NOT_RECORDED),
        ("versions", _listed(record.get("versions") or {})),
        ("Python", str(record.get("python") or NOT_RECORDED)),
        ("machine", _listed(machine)),
    ]
    config = "The whole config is `config.yaml`." if facts.config_text is not None else f"The config: {NOT_RECORDED}."
    return f"{_table(('', ''), [row for row in rows if row[1]])}\n\n{config}"


def _scores(scores: Sequence[Score], alike: Sequence[str]) -> str:
    if not scores:
        return f"{NOT_MEASURED.capitalize()}."
    told = [
        (f"`{score.name}`", f"{score.value:.4g}", f"`{score.signature}`" if score.signature else "") for score in scores
    ]
    missing = [split for split in ("val", "test") if not any(score.split == split for score in scores)]
    names = ", ".join(f"`{name}`" for name in alike)
    why = {"test": f"not told apart from what {names} reached, which has as many updates"} if alike else {}
    rest = "".join(f"\n\nOn the {split} set: {why.get(split, NOT_MEASURED)}." for split in missing)
    return f"{_table(('metric', 'value', 'signature'), told)}{rest}\n\nAnything else: {NOT_MEASURED}."


def _limits(facts: Facts) -> str:
    source, target = facts.tokenizers
    lines = [
        f"* Tokens of the longest source in training: {_number(facts.model.get('longest_source'))}; of the longest "
        f"target: {_number(facts.model.get('longest_target'))}. Of longer ones it learned nothing.",
        f"* Vocabulary of the source: {_vocabulary(source)}; of the target: {_vocabulary(target)}.",
        "* What the vocabulary of the source lacks can be copied, symbol by symbol."
        if facts.copies_unknown
        else "* What the vocabulary of the source lacks is one unknown symbol to the model, whatever it was.",
        "* It writes what its data taught it, be it right or wrong; no one has looked for what is harmful in them.",
    ]
    return "\n".join(lines)


def _use(facts: Facts) -> str:
    return (
        f"With seqlab {version('seqlab')}, in this folder:\n\n"
        f'```sh\necho "a line" | seqlab translate --ckpt_path {facts.file}\n```\n\n'
        f'```python\nimport seqlab\n\nprint(seqlab.load("{facts.file}").translate(["a line"])[0].text)\n```'
    )


def _licence(licence: str | None) -> str:
    return f"Of the weights: {licence or 'not stated'}. seqlab is under the MIT licence."


def _classes(part: object) -> list[str]:
    """The names of a part's class, and of those within it."""
    return list(_names(part))


def _names(part: object) -> Iterator[str]:
    if isinstance(part, str) and "." in part:
        yield _class_name(part)
    if isinstance(part, Mapping):
        if isinstance(part.get("class_path"), str):
            yield _class_name(part["class_path"])
        for name, value in _arguments(part).items():
            if isinstance(value, Mapping):
                yield from _names(value)
            elif name in ("cell", "hidden_size", "layers", "heads"):
                yield f"{name} {value}"


def _arguments(part: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = part.get("init_args")
    return arguments if isinstance(arguments, Mapping) else {}


def _class_name(path: object) -> str:
    return path.rpartition(".")[2] if isinstance(path, str) else ""


def _vocabulary(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.vocabulary_size:,} ids of a {type(tokenizer).__name__}"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else NOT_RECORDED


def _listed(values: Mapping[str, Any]) -> str:
    """Names and values in a line."""
    as_text = {
        name: (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
        for name, value in values.items()
    }
    return ", ".join(f"{name} {value}" for name, value in as_text.items()) or NOT_RECORDED


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(each.replace('|', chr(92) + '|') for each in line)} |" for line in lines)

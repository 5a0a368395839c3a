"""The metrics: those on text that ``TextMetrics`` takes, and what models and callbacks log."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.config.class_paths import resolve
from experiments.figures.curves import PANELS
from experiments.metrics import CorpusMetric
from reference_pages.markdown import summary, table
from reference_pages.parts import Kind, is_whole, kinds, needed

SIZE = 32
"""Of everything that a model is told by the data, where it is made only to be asked what it logs."""

BEGINNING = """\
# Metrics

Names are `stage/name`: `train/` is logged in training, `val/` in each validation, `test/` by `seqlab test`, where most
of `val/` come again. All are in the run's `metrics.csv`, and `seqlab.run_metrics` reads them.

## On text

`TextMetrics` takes these in its list `metrics`. They are measured on what the model writes alone, detokenised.

"""

LOGGED = """
## Logged by models and callbacks

Losses are in nats, means over target tokens or labels. N is the last step that is forecast.

"""


def metric_page() -> str:
    """The page."""
    known = kinds()
    (of_text,) = (kind for kind in known if kind.base is CorpusMetric)
    rows = [
        (f"`{metric.name}`", f"`{type(metric).__name__}`", metric.unit, metric.better, summary(type(metric)))
        for metric in (resolve(path)() for path in of_text.own)
    ]
    on_text = table(("name", "class", "unit", "better is", "what it is"), rows)
    units = {name: panel.unit for panel in PANELS for name in panel.metrics}
    loggers: dict[str, list[str]] = {}
    for part, names in _logged(known):
        for name in names:
            loggers.setdefault(name.replace(f"_step_{SIZE}", "_step_N"), []).append(f"`{part}`")
    rest = [(f"`{name}`", units.get(name, ""), ", ".join(loggers[name])) for name in sorted(loggers)]
    return f"{BEGINNING}{on_text}\n{LOGGED}{table(('metric', 'unit', 'logged by'), rest)}\n"


def _logged(known: list[Kind]) -> Iterator[tuple[str, set[str]]]:
    """What each model and callback says that it logs."""
    for kind in known:
        for path in kind.own:
            part = resolve(path)
            if hasattr(part, "logged_metrics") and is_whole(part):
                yield part.__name__, part(**{each.name: SIZE for each in needed(part)}).logged_metrics()

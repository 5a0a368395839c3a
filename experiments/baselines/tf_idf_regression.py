"""A linear classifier of texts by their words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.baselines.baseline import Baseline
from experiments.metrics.summaries import lowered_words, ngrams

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class TfIdfRegression(Baseline):
    """The most probable label by logistic regression on the tf-idf of a text's words: by the package scikit-learn.

    A word weighs ``(1 + log count) (1 + log((1 + texts) / (1 + texts with it)))``, a text has length 1; the regression
    is one over all labels, its weights' squares are kept small (Pedregosa et al. 2011).

    Args:
        order: Longest n-gram of words that counts; 1 for words alone.
        least: Texts that an n-gram has to be in.
        strength: Inverse of how small the weights are kept, scikit-learn's C.

    Raises:
        UserError: The package is not installed, or a setting is not above 0.
    """

    def __init__(self, order: int = 2, least: int = 2, strength: float = 10.0) -> None:
        for name, value in (("order", order), ("least", least), ("strength", strength)):
            if value <= 0:
                raise UserError(f"the {name} of TfIdfRegression is {value}: give more than 0")
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import LogisticRegression
            from sklearn.pipeline import make_pipeline
        except ModuleNotFoundError as error:
            raise UserError(
                "TfIdfRegression needs the package scikit-learn: pip install 'seqlab[baselines]', or leave it out of "
                "the baselines"
            ) from error
        words = TfidfVectorizer(analyzer=_Grams(order), min_df=least, sublinear_tf=True)
        self._pipeline: Pipeline = make_pipeline(words, LogisticRegression(C=strength, max_iter=1000))

    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Fits the regression.

        Raises:
            UserError: The training has one label alone, or no n-gram that is in enough texts.
        """
        try:
            self._pipeline.fit(sources, targets)
        except ValueError as error:
            raise UserError(f"TfIdfRegression cannot be fitted to the training texts: {error}") from error

    def write(self, source: str) -> str:
        """See :meth:`Baseline.write`."""
        return str(self._pipeline.predict([source])[0])


class _Grams:
    """The n-grams of a text, up to a length."""

    def __init__(self, order: int) -> None:
        self._order = order

    def __call__(self, text: str) -> list[str]:
        words = lowered_words(text)
        return [" ".join(gram) for length in range(1, self._order + 1) for gram in ngrams(words, length)]

"""How fast training and translation could be: the time of the model's multiplications alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from experiments.benchmarks.operations import BatchCounts, Product, forward_operations, translation_products
from lightning_modules.kernels.onednn import product as linear_product
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

Multiply = Callable[[Tensor, Tensor], Tensor]
"""``(rows, in)`` and ``(in, out)`` to ``(rows, out)``."""

SECONDS = 0.3
"""How long each product is repeated."""


@dataclass(frozen=True)
class Limit:
    """What the machine can do of a training step.

    Attributes:
        operations: Multiplications and additions of a mean step: forward, and twice as many backward.
        seconds: What the machine takes for them, each product with the rows of the whole batch at once.
        target_tokens: Mean number of target tokens of a step, EOS included.
    """

    operations: int
    seconds: float
    target_tokens: float

    @property
    def target_tokens_per_second(self) -> float:
        """The speed that cannot be had without changing the arithmetic."""
        return self.target_tokens / self.seconds


def as_the_layers_do(inputs: Tensor, weight: Tensor) -> Tensor:
    """A product as seqlab's own layers make it: on AMD's processors by oneDNN."""
    return linear_product(inputs, weight.t())


LIMITS: Mapping[str, Multiply] = {"limit": torch.mm, "layers' limit": as_the_layers_do}
"""What is told beside a speed: what the machine can do by torch's own product, and by that of seqlab's layers."""


def product_seconds(
    product: Product,
    rows: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    multiply: Multiply = torch.mm,
) -> float:
    """The median time of a product and of the two of its backward pass, together.

    Args:
        product: Whose shape.
        rows: Number of rows that are multiplied at once, those of the batch.
        device: What multiplies.
        dtype: Type of the numbers.
        multiply: How.
    """
    random = partial(torch.randn, device=device, dtype=dtype)
    inputs, weight = random(rows, product.inputs), random(product.inputs, product.outputs)
    gradient = random(rows, product.outputs)
    return sum(
        _median_seconds(run, gradient.device)
        for run in (
            lambda: multiply(inputs, weight),
            lambda: multiply(gradient, weight.t()),
            lambda: multiply(inputs.t(), gradient),
        )
    )


def step_limit(
    model: TokenEncoderDecoder,
    counts: BatchCounts,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    multiply: Multiply = torch.mm,
) -> Limit:
    """The limit of a training step.

    Products of an attention's single scores and contexts, a thousandth of the whole, are taken at the speed of the
    others: as products of matrices they have no shape.

    Args:
        model: Whose products.
        counts: What the mean batch has.
        device: What multiplies.
        dtype: Type of the numbers.
        multiply: How.
    """
    products = translation_products(model)
    matrices = [each for each in products if each.per != "pair of tokens"]
    seconds = {each: product_seconds(each, counts.of(each.per), device, dtype, multiply) for each in set(matrices)}
    measured = sum(seconds[each] for each in matrices)
    every, of_matrices = (3 * forward_operations(each, counts) for each in (products, matrices))
    return Limit(every, measured * every / of_matrices, counts.target_tokens)


def search_limit(
    model: TokenEncoderDecoder, counts: BatchCounts, beam_size: int, batch_size: int, multiply: Multiply = torch.mm
) -> float:
    """The seconds that the multiplications of a search take, each step with the rows of all beams.

    An open hypothesis of each sentence's beam takes a step for each token of the translation and one for EOS; the first
    step has one hypothesis. Steps of sentences that are finished are not counted.

    Args:
        model: Whose products, on its device.
        counts: What all sentences and their translations have, EOS included.
        beam_size: Hypotheses of a sentence.
        batch_size: Sentences at once.
        multiply: How.
    """
    steps = beam_size * (counts.target_tokens - counts.sentences) + counts.sentences
    pairs = beam_size * counts.token_pairs
    every = BatchCounts(counts.sentences, counts.source_tokens, steps, pairs)
    at_once = {
        "sentence": batch_size,
        "source token": max(1, batch_size * counts.source_tokens // counts.sentences),
        "target token": batch_size * beam_size,
    }
    products = translation_products(model)
    matrices = [each for each in products if each.per in at_once]
    seconds = {
        each: _forward_seconds(each, at_once[each.per], model.device, multiply) * every.of(each.per) / at_once[each.per]
        for each in set(matrices)
    }
    measured = sum(seconds[each] for each in matrices)
    return measured * forward_operations(products, every) / forward_operations(matrices, every)


def _forward_seconds(product: Product, rows: int, device: torch.device, multiply: Multiply) -> float:
    inputs = torch.randn(rows, product.inputs, device=device)
    weight = torch.randn(product.inputs, product.outputs, device=device)
    return _median_seconds(lambda: multiply(inputs, weight), device)


def _median_seconds(run: Callable[[], object], device: torch.device) -> float:
    times: list[float] = []
    run()
    while sum(times) < SECONDS:
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return median(times)

"""The chunked loss against torch's own, on whole logits."""

import pytest
import torch
from torch.nn import functional

from lightning_modules.kernels.projected_loss import (
    CHUNK_ROWS,
    projected_cross_entropy,
    projected_log_probabilities,
    projected_outcomes,
)


@pytest.mark.parametrize("rows", [0, 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients(rows: int, smoothing: float, seed: int) -> None:
    hidden = torch.randn(rows, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(11, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(11, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(11, (rows,))
    loss, nll = projected_cross_entropy(hidden, weight, bias, targets, smoothing)
    logits = hidden @ weight.t() + bias
    expected = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, functional.cross_entropy(logits, targets, reduction="sum"))
    assert not nll.requires_grad
    wanted = torch.autograd.grad(3 * expected, (hidden, weight, bias))
    for gradient, other in zip(torch.autograd.grad(3 * loss, (hidden, weight, bias)), wanted, strict=True):
        torch.testing.assert_close(gradient, other)


@pytest.mark.parametrize("rows", [0, 1, 2 * CHUNK_ROWS + 3])
def test_log_probabilities_and_their_gradients(rows: int, seed: int) -> None:
    """With weights of their own at each position, as a loss made of them has."""
    tensors = [torch.randn(shape).double().requires_grad_() for shape in ((rows, 6), (11, 6), (11,))]
    hidden, weight, bias = tensors
    targets = torch.randint(11, (rows,))
    found = projected_log_probabilities(hidden, weight, bias, targets)
    whole = (hidden @ weight.t() + bias).log_softmax(1)
    wanted = whole.gather(1, targets[:, None]).squeeze(1), whole.mean(dim=1)
    of_chosen, of_mean = torch.randn(2, rows).double()
    results = []
    for chosen, mean in (found, wanted):
        loss = (of_chosen * chosen).sum() + (of_mean * mean).sum()
        results.append((chosen, mean, *torch.autograd.grad(loss, tensors)))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("rows", [100, 2 * CHUNK_ROWS + 3])
def test_large_products_in_float32(rows: int, seed: int) -> None:
    """Those that oneDNN makes: the gradients are those of float64."""
    given = [torch.randn(rows, 128) / 8, torch.randn(1000, 128) / 8, torch.randn(1000)]
    targets = torch.randint(1000, (rows,))

    def results(precision: torch.dtype) -> list[torch.Tensor]:
        hidden, weight, bias = tensors = [each.to(precision).requires_grad_() for each in given]
        if precision == torch.float32:
            loss, _ = projected_cross_entropy(hidden, weight, bias, targets, 0.1)
        else:
            logits = hidden @ weight.t() + bias
            loss = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=0.1)
        return [loss.detach(), *torch.autograd.grad(loss, tensors)]

    for ours, theirs in zip(results(torch.float32), results(torch.float64), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)


def test_large_logits_do_not_overflow() -> None:
    hidden = torch.full((2, 1), 1000.0)
    loss, _ = projected_cross_entropy(hidden, torch.tensor([[1.0], [-1.0]]), torch.zeros(2), torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(2000.0)


def test_without_gradients(seed: int) -> None:
    with torch.no_grad():
        loss, nll = projected_cross_entropy(torch.randn(5, 3), torch.randn(4, 3), torch.zeros(4), torch.zeros(5).long())
    assert loss.item() == pytest.approx(nll.item())
    assert not loss.requires_grad


def test_in_mixed_precision(seed: int) -> None:
    hidden = torch.randn(300, 8, requires_grad=True)
    weight, bias = torch.randn(11, 8, requires_grad=True), torch.zeros(11, requires_grad=True)
    targets = torch.randint(11, (300,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = projected_cross_entropy(hidden.bfloat16(), weight, bias, targets)
    loss.backward()
    expected = functional.cross_entropy(hidden.bfloat16().float() @ weight.t(), targets, reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert hidden.grad is not None


@pytest.mark.parametrize("rows", [0, 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 3])
def test_outcomes(rows: int, seed: int) -> None:
    hidden = torch.randn(rows, 6, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(5, 6, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    targets = torch.randint(5, (rows,))
    scores, predicted = projected_outcomes(hidden, weight, bias, targets)
    torch.testing.assert_close(-scores.sum(), projected_cross_entropy(hidden, weight, bias, targets)[1])
    logits = hidden @ weight.t() + bias
    torch.testing.assert_close(scores, logits.log_softmax(-1)[torch.arange(rows), targets])
    assert predicted.tolist() == [int(row.argmax()) for row in logits]
    assert not scores.requires_grad


def test_outcomes_in_mixed_precision(seed: int) -> None:
    hidden, weight, bias = torch.randn(300, 8), torch.randn(11, 8), torch.zeros(11)
    targets = torch.randint(11, (300,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = projected_outcomes(hidden.bfloat16(), weight, bias, targets)
    for one, other in zip(mixed, projected_outcomes(hidden.bfloat16().float(), weight, bias, targets), strict=True):
        torch.testing.assert_close(one, other)

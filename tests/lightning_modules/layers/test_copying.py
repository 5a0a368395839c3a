"""The head that copies, against the formula of the paper written with loops, and on whole distributions."""

import pytest
import torch
from torch import Tensor

from lightning_modules.kernels.projected_loss import CHUNK_ROWS
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.heads import Attended

VOCABULARY, SIZE, SOURCE = 9, 4, 5


def example(count: int) -> tuple[Tensor, Tensor, Attended]:
    """Positions with a source each, in which ids come several times; the last one's is padded."""
    weights = torch.randn(count, SOURCE).double()
    weights[-1:, 3:] = -torch.inf
    source = torch.randint(3, 7, (count, SOURCE))
    source[-1:, 3:] = 0
    hidden = torch.randn(count, SIZE).double()
    return hidden, torch.randint(1, VOCABULARY, (count,)), Attended(weights.softmax(1), source)  # no gold is padding


def probabilities(head: CopyVocabularyHead, hidden: Tensor, attended: Attended) -> Tensor:
    """See et al. 2017, equations 8 and 9, for each position and each source token."""
    rows = []
    for position, source in enumerate(attended.source.tolist()):
        gate = torch.sigmoid(head.generate.weight[0] @ hidden[position] + head.generate.bias[0])
        total = list(gate * (head.weight @ hidden[position] + head.bias).softmax(0))
        for place, token in enumerate(source):
            total[token] = total[token] + (1 - gate) * attended.weights[position, place]
        rows.append(torch.stack(total))
    return torch.stack(rows)


def test_the_distribution_is_that_of_the_paper(seed: int) -> None:
    head = CopyVocabularyHead(SIZE, VOCABULARY, 0.0).double()
    hidden, gold, attended = example(6)
    found = head.log_probabilities(hidden, attended).exp()
    torch.testing.assert_close(found, probabilities(head, hidden, attended), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sum(1), torch.ones(6).double())
    scores, predicted = head.outcomes(hidden, gold, attended)
    torch.testing.assert_close(scores, found.log().gather(1, gold[:, None]).squeeze(1))
    assert torch.equal(predicted, found.argmax(1))
    assert torch.equal(predicted, head.predict(hidden, "argmax", attended))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_gradients_are_those_of_the_whole_distribution(smoothing: float, seed: int) -> None:
    head = CopyVocabularyHead(SIZE, VOCABULARY, smoothing).double()
    hidden, gold, attended = example(7)
    hidden.requires_grad_()
    attended.weights.requires_grad_()
    leaves = [hidden, attended.weights, *head.parameters()]
    loss, reported, count = head.loss(hidden, gold, attended)
    nll = -probabilities(head, hidden, attended).log().gather(1, gold[:, None]).sum()
    uniform = -(hidden @ head.weight.t() + head.bias).log_softmax(1).mean(1).sum()
    wanted = (1 - smoothing) * nll + smoothing * uniform
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(reported, nll)
    assert count == 7
    assert not reported.requires_grad
    for ours, theirs in zip(torch.autograd.grad(loss, leaves), torch.autograd.grad(wanted, leaves), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_many_positions_and_none(seed: int) -> None:
    head = CopyVocabularyHead(SIZE, VOCABULARY, 0.0).double()
    hidden, gold, attended = example(CHUNK_ROWS + 3)
    scores, predicted = head.outcomes(hidden, gold, attended)
    whole = head.log_probabilities(hidden, attended)
    torch.testing.assert_close(scores, whole.gather(1, gold[:, None]).squeeze(1))
    assert torch.equal(predicted, whole.argmax(1))
    none = slice(0, 0)
    assert [len(each) for each in head.outcomes(hidden[none], gold[none], attended.rows(none))] == [0, 0]
    assert head.loss(hidden[none], gold[none], attended.rows(none))[0].item() == 0


def test_what_is_hopeless_for_the_vocabulary_is_finite(seed: int) -> None:
    """Far below the least number of float32, and with a gradient that is a number."""
    head = CopyVocabularyHead(SIZE, VOCABULARY, 0.0)
    hidden, _, attended = example(4)
    attended = Attended(attended.weights.float(), attended.source)
    with torch.no_grad():
        head.bias[[1, 5]] = -300.0
    gold = torch.full((4,), 1)  # in no source
    loss, _, _ = head.loss(hidden.float(), gold, attended)
    assert 4 * 250 < loss.item() < 4 * 400
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, list(head.parameters())))
    torch.testing.assert_close(-head.log_probabilities(hidden.float(), attended)[:, 1].sum(), loss.detach())


def test_copying_is_sampled_as_often_as_it_is_probable(seed: int) -> None:
    head = CopyVocabularyHead(SIZE, VOCABULARY, 0.0).double()
    hidden, _, attended = example(1)
    wanted = head.log_probabilities(hidden, attended).exp()[0]
    count = 20_000
    many = Attended(attended.weights.expand(count, -1), attended.source.expand(count, -1))
    drawn = head.predict(hidden.expand(count, -1), "sample", many).bincount(minlength=VOCABULARY) / count
    assert (drawn - wanted).abs().max() < 5 * (0.25 / count) ** 0.5


def extended_example(count: int) -> tuple[Tensor, Tensor, Attended]:
    """Positions whose sources have unlike numbers of ids above the vocabulary; some of these are gold."""
    hidden, gold, attended = example(count)
    source = attended.source.clone()
    for row in range(count):
        source[row, : row % 4] = VOCABULARY + torch.arange(row % 4)
    source[1:3, 1] = VOCABULARY  # once more
    gold[1::2] = VOCABULARY
    gold[3] = VOCABULARY + 2
    return hidden, gold, Attended(attended.weights, source)


def extended_probabilities(head: CopyVocabularyHead, hidden: Tensor, attended: Attended) -> Tensor:
    """See et al. 2017, equation 9, over the vocabulary and all ids of the sources, with a loop for each."""
    width = max(VOCABULARY, int(attended.source.max()) + 1)
    rows = []
    for position, source in enumerate(attended.source.tolist()):
        gate = torch.sigmoid(head.generate.weight[0] @ hidden[position] + head.generate.bias[0])
        generated = (head.weight @ hidden[position] + head.bias).softmax(0)
        total = []
        for token in range(width):
            copied = sum(attended.weights[position, place] for place, id_ in enumerate(source) if id_ == token)
            total.append((gate * generated[token] if token < VOCABULARY else 0.0) + (1 - gate) * copied)
        rows.append(torch.stack(total))
    return torch.stack(rows)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_ids_above_the_vocabulary_are_copied_alone(smoothing: float, seed: int) -> None:
    head = CopyVocabularyHead(SIZE, VOCABULARY, smoothing).double()
    hidden, gold, attended = extended_example(8)
    hidden.requires_grad_()
    attended.weights.requires_grad_()
    wanted = extended_probabilities(head, hidden, attended)
    found = head.log_probabilities(hidden, attended)
    assert found.shape == (8, VOCABULARY + 3)
    torch.testing.assert_close(found.exp(), wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(8).double())
    scores, predicted = head.outcomes(hidden, gold, attended)
    torch.testing.assert_close(scores, wanted.log().gather(1, gold[:, None]).squeeze(1))
    assert torch.equal(predicted, wanted.argmax(1))
    loss, reported, count = head.loss(hidden, gold, attended)
    nll = -wanted.gather(1, gold[:, None]).log().sum()
    uniform = -(hidden @ head.weight.t() + head.bias).log_softmax(1).mean(1).sum()
    torch.testing.assert_close(loss, (1 - smoothing) * nll + smoothing * uniform)
    torch.testing.assert_close(reported, nll)
    assert count == 8
    leaves = [hidden, attended.weights, *head.parameters()]
    other = torch.autograd.grad((1 - smoothing) * nll + smoothing * uniform, leaves)
    for ours, theirs in zip(torch.autograd.grad(loss, leaves), other, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_source_without_such_ids_is_as_it_was_beside_others(seed: int) -> None:
    """With nothing in the columns of the others' symbols."""
    head = CopyVocabularyHead(SIZE, VOCABULARY, 0.0)
    hidden, _, attended = extended_example(8)
    attended = Attended(attended.weights.float(), attended.source)
    found = head.log_probabilities(hidden.float(), attended)
    for row in range(8):
        one = slice(row, row + 1)
        alone = head.log_probabilities(hidden[one].float(), attended.rows(one))
        torch.testing.assert_close(alone, found[one, : alone.shape[1]])
        assert (found[one, alone.shape[1] :] == -torch.inf).all()


def test_what_is_attended_to_nowhere_is_improbable_and_finite(seed: int) -> None:
    """As where a window leaves the gold symbol out; loss and score agree, and the gradient is a number."""
    head = CopyVocabularyHead(SIZE, VOCABULARY, 0.0)
    hidden, gold, attended = extended_example(8)
    weights = attended.weights.float().masked_fill(attended.source >= VOCABULARY, 0.0).requires_grad_()
    attended = Attended(weights, attended.source)
    loss, _, _ = head.loss(hidden.float(), gold, attended)
    assert loss.item() > 4 * 80
    torch.testing.assert_close(-head.outcomes(hidden.float(), gold, attended)[0].sum(), loss.detach())
    leaves = [weights, *head.parameters()]
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, leaves))

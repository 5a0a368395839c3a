"""Padding, masks, and the shift between what a decoder is fed and what it predicts."""

import numpy as np
import torch

from datamodules.batch import BOS, EOS, PAD, LabelledBatch, Padded, SequenceBatch


def test_padding_and_mask() -> None:
    padded = Padded.from_sequences([[4, 5, 6], [7], [8, 9]])
    assert padded.values.tolist() == [[4, 5, 6], [7, PAD, PAD], [8, 9, PAD]]
    assert padded.lengths.tolist() == [3, 1, 2]
    assert padded.mask.tolist() == [[True, True, True], [True, False, False], [True, True, False]]


def test_the_target_is_shifted_by_one() -> None:
    batch = SequenceBatch.from_pairs([[4, 5], [6]], [[7], [8, 9]], torch.tensor([3, 1]))
    assert batch.source.values.tolist() == [[4, 5, EOS], [6, EOS, PAD]]
    fed, predicted = batch.target_input, batch.target_output
    assert fed.lengths.tolist() == predicted.lengths.tolist() == [2, 3]
    assert fed.values[fed.mask].tolist() == [BOS, 7, BOS, 8, 9]
    assert predicted.values[predicted.mask].tolist() == [7, EOS, 8, 9, EOS]
    assert batch.token_count == 5


def test_real_positions_and_their_gradient_are_those_of_the_mask() -> None:
    padded = Padded.from_sequences([[4, 5, 6], [7], [8, 9]])
    values = torch.arange(18.0).view(3, 3, 2).requires_grad_()
    for found, wanted in zip(
        *(
            (each, *torch.autograd.grad(each.square().sum(), values))
            for each in (padded.real(values), values[padded.mask])
        ),
        strict=True,
    ):
        assert torch.equal(found, wanted)


def test_a_move_keeps_everything() -> None:
    batch = SequenceBatch.from_pairs([[4]], [[5]], torch.tensor([0])).to("cpu")
    assert batch.source.values.tolist() == [[4, EOS]]
    assert batch.target.values.tolist() == [[BOS, 5, EOS]]
    assert len(batch) == 1


def test_vectors_are_padded_with_zeros() -> None:
    padded = Padded.from_vectors([np.array([[1.5, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])], features=2)
    assert padded.values.tolist() == [[[1.5, 2.0], [0.0, 0.0]], [[3.0, 4.0], [5.0, 6.0]]]
    assert padded.values.dtype == torch.float32
    assert padded.mask.tolist() == [[True, False], [True, True]]
    assert Padded.from_vectors([], features=2).values.shape == (0, 0, 2)


def test_a_labelled_batch_counts_what_is_read() -> None:
    source = Padded.from_vectors([np.ones((3, 2)), np.ones((1, 2))], features=2)
    batch = LabelledBatch(source, torch.tensor([1, 0]), torch.tensor([7, 4])).to("cpu")
    assert len(batch) == 2
    assert batch.token_count == 4
    assert batch.source.values.shape == (2, 3, 2)
    assert batch.label.tolist() == [1, 0]
    assert batch.index.tolist() == [7, 4]

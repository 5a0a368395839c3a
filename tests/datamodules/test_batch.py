"""Padding, masks, and the shift between what a decoder is fed and what it predicts."""

import torch

from datamodules.batch import BOS, EOS, PAD, Padded, SequenceBatch


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


def test_a_move_keeps_everything() -> None:
    batch = SequenceBatch.from_pairs([[4]], [[5]], torch.tensor([0])).to("cpu")
    assert batch.source.values.tolist() == [[4, EOS]]
    assert batch.target.values.tolist() == [[BOS, 5, EOS]]
    assert len(batch) == 1

"""The classifier: padding changes nothing, processes and accumulation change nothing, and it learns."""

from functools import partial
from pathlib import Path

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.batch import LabelledBatch, Padded
from datamodules.errors import RunFailed
from datamodules.synthetic import SyntheticDataModule
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.encoder import RecurrentEncoder, StepwiseEncoder
from lightning_modules.layers.pooling import AttentionPooling, FinalStatePooling, MaxPooling, MeanPooling, Pooling

POOLINGS = [FinalStatePooling, MeanPooling, MaxPooling, AttentionPooling]
CLASSES = 3


def classifier(
    seed: int, pooling: type[Pooling] = FinalStatePooling, encoder: type[RecurrentEncoder] = RecurrentEncoder
) -> BiRNNClassifier:
    """A small model in double precision, of three classes."""
    torch.manual_seed(seed)
    part = partial(encoder, cell="gru", hidden_size=5, layers=2)
    return BiRNNClassifier(4, CLASSES, part, pooling, optimizer=partial(torch.optim.SGD, lr=0.5)).double()


def labelled(seed: int, count: int = 7) -> LabelledBatch:
    """Sequences of very different lengths, the label of each drawn."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 10, (count,), generator=generator)
    values = torch.randn(count, int(lengths.max()), 4, generator=generator, dtype=torch.float64)
    source = Padded(values * (torch.arange(values.shape[1]) < lengths[:, None])[:, :, None], lengths)
    return LabelledBatch(source, torch.randint(CLASSES, (count,), generator=generator), torch.arange(count))


def rows(batch: LabelledBatch, chosen: list[int]) -> LabelledBatch:
    """Some sequences of a batch, as a batch of their own."""
    lengths = batch.source.lengths[chosen]
    longest = int(lengths.max()) if chosen else 0
    return LabelledBatch(
        Padded(batch.source.values[chosen, :longest], lengths), batch.label[chosen], batch.index[chosen]
    )


@pytest.mark.parametrize("encoder", [RecurrentEncoder, StepwiseEncoder])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_sequence_alone_and_in_a_padded_batch(
    pooling: type[Pooling], encoder: type[RecurrentEncoder], seed: int
) -> None:
    net, batch = classifier(seed, pooling, encoder), labelled(seed)
    logits = net(batch.source)
    assert logits.shape == (len(batch), CLASSES)
    for row in range(len(batch)):
        torch.testing.assert_close(net(rows(batch, [row]).source)[0], logits[row], rtol=0, atol=1e-10)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_both_encoders_begin_and_classify_alike(pooling: type[Pooling], seed: int) -> None:
    fused, stepwise = (classifier(seed, pooling, kind) for kind in (RecurrentEncoder, StepwiseEncoder))
    source = labelled(seed).source
    torch.testing.assert_close(fused(source), stepwise(source), rtol=0, atol=1e-10)


def after_a_step(net: BiRNNClassifier, folder: Path, batches: list[LabelledBatch]) -> dict[str, Tensor]:
    """The weights after one optimizer step over all the batches."""
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=1, accumulate_grad_batches=len(batches), logger=False, default_root_dir=folder,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(net, DataLoader(batches, batch_size=None))
    return net.state_dict()


def test_the_loss_is_the_mean_over_the_sequences_of_a_step(tmp_path: Path, seed: int) -> None:
    """Batches of five, two and no sequences, accumulated, against all seven, and against the mean written out."""
    batch = labelled(seed)
    parts = [rows(batch, chosen) for chosen in ([0, 3, 4, 5, 6], [1, 2], [])]
    whole, in_parts = (after_a_step(classifier(seed), tmp_path, batches) for batches in ([batch], parts))
    net = classifier(seed)
    torch.nn.functional.cross_entropy(net(batch.source), batch.label).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        expected = parameter.detach() - 0.5 * parameter.grad
        torch.testing.assert_close(whole[name], expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(in_parts[name], expected, rtol=0, atol=1e-10)


def evaluated(net: BiRNNClassifier, data: SyntheticDataModule, folder: Path, processes: int) -> dict[str, float]:
    trainer = L.Trainer(
        accelerator="cpu", devices=processes, strategy="ddp_fork" if processes > 1 else "auto", logger=False,
        use_distributed_sampler=False, default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    (scores,) = trainer.test(net, datamodule=data, verbose=False)
    return dict(scores)


def test_scores_are_exact_for_any_number_of_processes(tmp_path: Path, seed: int) -> None:
    """101 sequences in batches of 10: the second process has no share of the last one."""
    sizes = {"num_features": 3, "min_length": 1, "max_length": 9, "test_size": 101, "corpus_seed": seed}
    data = SyntheticDataModule(eval_batch_size=10, **sizes)
    scores = []
    for processes in (1, 2):
        torch.manual_seed(seed)
        net = BiRNNClassifier(3, 2)
        scores.append(evaluated(net, data, tmp_path, processes))

    batch = data.sequences("test")[list(range(101))]
    with torch.no_grad():
        logits = net.eval()(batch.source)
    expected = {
        "test/accuracy": float((logits.argmax(dim=1) == batch.label).double().mean()),
        "test/loss": float(torch.nn.functional.cross_entropy(logits, batch.label)),
    }
    assert scores == [pytest.approx(expected, rel=1e-6)] * 2


def test_spoilt_weights_stop_an_evaluation(tmp_path: Path) -> None:
    net = BiRNNClassifier(3, 2)
    torch.nn.init.constant_(net.output.weight, torch.nan)
    data = SyntheticDataModule(num_features=3, test_size=5)
    with pytest.raises(RunFailed, match="NaN or infinite at step 0"):
        evaluated(net, data, tmp_path, 1)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_learns(pooling: type[Pooling], tmp_path: Path, seed: int) -> None:
    """Short sequences of one feature, for a few seconds."""
    L.seed_everything(seed, verbose=False)
    encoder = partial(RecurrentEncoder, cell="gru", hidden_size=24)
    net = BiRNNClassifier(1, 2, encoder, pooling, optimizer=partial(torch.optim.Adam, lr=0.01))
    data = SyntheticDataModule(
        num_features=1, min_length=2, max_length=8, train_size=3000, test_size=1000, batch_size=50, corpus_seed=seed
    )
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=8, logger=False, enable_checkpointing=False, gradient_clip_val=1.0,
        limit_val_batches=0, default_root_dir=tmp_path, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(net, datamodule=data)
    (scores,) = trainer.test(net, datamodule=data, verbose=False)
    assert scores["test/accuracy"] >= 0.9

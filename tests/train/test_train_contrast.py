"""A tower learns to compare queries and units, and the pruner beside it stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from secateurs.train.config import ConfigError, ContrastConfig, OptimizerConfig, StartConfig, TrainConfig
from secateurs.train.contrast import Cases, Contrast, contrast
from secateurs.train.data import Corpus, Document, Item, Preparer
from secateurs.train.loop import Trainer
from secateurs.train.placement import place
from secateurs.train.records import Record
from secateurs.train.runner import run
from secateurs.train.start import load_start

Make = Callable[..., TrainConfig]


def comparing(config: TrainConfig, encoder: Path, **settings: Any) -> TrainConfig:
    """Return a config whose tower learns to compare."""
    start = StartConfig(model=config.start.model, similarity=str(encoder), freeze_similarity=False)
    return replace(
        config,
        start=start,
        contrast=ContrastConfig(**{"temperature": 0.1, "model": str(encoder), **settings}),
        run=replace(config.run, steps=40),
        optimizer=OptimizerConfig(learning_rate=3e-3, head_learning_rate=3e-3, average=0.0),
    )


def losses(config: TrainConfig) -> list[float]:
    """Return the loss of the first pool before and after a run."""
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    task = Contrast(config, start, corpus, torch.device("cpu"))

    def loss() -> float:
        with torch.no_grad():
            return float(sum(task.learner(task.collate(batch))["loss"] for batch in task.pool(0)))

    before = loss()
    Trainer(config, task, placement=place(config.run)).run()
    return [before, loss()]


@pytest.mark.parametrize("teacher", [0.0, 0.5])
def test_the_tower_learns_which_units_answer(make_config: Make, tiny_encoder: Path, teacher: float) -> None:
    """The loss of what it learns from falls by a third, with and without a teacher."""
    before, after = losses(comparing(make_config(), tiny_encoder, teacher=teacher))
    assert after < 2 / 3 * before


def test_only_the_tower_changes_and_it_can_be_heard_afterwards(make_config: Make, tiny_encoder: Path) -> None:
    """Encoder and heads are written as they were; a second run hears the tower that the first one trained."""
    dev = 'files = ["dev.jsonl"]\nevery_steps = 20\n'
    config = comparing(make_config(dev=dev), tiny_encoder)
    folder, measured = run(config, Console(quiet=True))
    assert measured is not None
    written, base = load_file(folder / "model.safetensors"), load_file(Path(config.start.model) / "model.safetensors")
    for name, tensor in base.items():
        torch.testing.assert_close(written[name].float(), tensor.float(), rtol=0, atol=1e-3)
    layer = "similarity.encoder.layer.0.output.dense.weight"
    assert not torch.equal(written[layer], load_file(tiny_encoder / "model.safetensors")[layer[11:]].half())
    second = replace(make_config(output="second"), start=StartConfig(model=str(folder)))
    heard, _ = run(second, Console(quiet=True))
    again = load_file(heard / "model.safetensors")
    assert torch.equal(again[layer], written[layer])
    assert again["similarity.mix.weight"].any()


def corpus_of(labels: list[list[int]], groups: list[str]) -> Corpus:
    """Return documents of units of three tokens, one query each."""
    corpus = Corpus([], [], {})
    for index, (some, group) in enumerate(zip(labels, groups, strict=True)):
        ids = np.arange(3 * len(some), dtype=np.int32) + 100 * (index + 1)
        corpus.documents.append(Document(ids, np.arange(0, len(ids) + 1, 3), ""))
        query = np.array([index + 5], dtype=np.int32)
        record = Record(id=str(index), lang="en", query="", context="", evidence=(), group=group)
        inside = np.zeros(len(ids), dtype=bool)
        corpus.items.append(Item(0, index, query, query, np.array(some, dtype=np.int8), inside, record))
    return corpus


def test_parts_of_one_document_are_no_wrong_answers_to_each_others_queries(make_config: Make) -> None:
    """What nobody read for a query counts neither as right nor as wrong, and a masked unit does not either."""
    corpus = corpus_of([[1, 0, -1], [0, 0], [0, 1]], ["a", "a", "b"])
    cases = Cases(corpus, replace(make_config(), contrast=ContrastConfig(temperature=0.1)), limit=8)
    batch = cases.collate([cases._case(index, np.random.default_rng(0)) for index in range(3)])
    assert batch.ids[:3].tolist() == [5, 6, 7]
    assert batch.sides.lengths.tolist() == [1, 1, 1, *[3] * 7]
    assert batch.right.int().tolist() == [[1, 0, 0, 0, 0, 0, 0], [0] * 7, [0, 0, 0, 0, 0, 0, 1]]
    assert batch.own.int().tolist() == [[1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1, 1]]
    assert batch.wrong.int().tolist() == [[0, 1, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0]]


def test_a_pool_is_the_same_each_time_and_its_batches_are_small(make_config: Make, tiny_encoder: Path) -> None:
    """A run that goes on finds the batches it left, none larger than asked for unless one document is."""
    config = comparing(make_config(), tiny_encoder)
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    cases = Cases(corpus, config, limit=32)
    first, again, other = cases.pool(0), cases.pool(0), cases.pool(1)
    names = [[[case.document for case in batch] for batch in pool] for pool in (first, again, other)]
    assert names[0] == names[1] != names[2]
    assert all(len(batch) == 1 or sum(map(cases._size, batch)) <= config.run.batch_tokens for batch in first)


def test_the_loss_of_a_right_unit_is_its_share_beside_the_wrong_ones() -> None:
    """Two right units do not compete; a query that nothing answers does not count."""
    odds = torch.tensor([[2.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    right = torch.tensor([[True, True, False], [False, False, False]])
    expected = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-1.0))) / 2
    assert contrast(odds, right, ~right).item() == pytest.approx(expected, abs=1e-6)
    assert contrast(odds, torch.zeros_like(right), ~right).item() == 0.0


def test_a_run_that_cannot_compare_says_what_it_lacks(make_config: Make, tiny_encoder: Path) -> None:
    """A model without a tower, a tower that rests, and weights that make no sense."""
    config = comparing(make_config(), tiny_encoder)
    for start in (replace(config.start, similarity=""), replace(config.start, freeze_similarity=True)):
        with pytest.raises(ConfigError, match="contrast: it needs a model with a tower"):
            run(replace(config, start=start), Console(quiet=True))

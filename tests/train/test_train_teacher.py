"""Learning from a larger model: the divergence is what it says, labels are not needed, the teacher stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_checkpoint, word_tokenizer
from tokenizers import Tokenizer
from train.test_train_run import QUIET, losses

from secateurs import Compressor
from secateurs.train.config import ConfigError, LossConfig, OptimizerConfig, SourceConfig, TeacherConfig, TrainConfig
from secateurs.train.data import Preparer
from secateurs.train.loop import LOG
from secateurs.train.losses import divergence
from secateurs.train.records import MASKED
from secateurs.train.runner import run
from secateurs.train.start import load_start
from secateurs.train.state import STATE

Make = Callable[..., TrainConfig]
NOTHING_ELSE = LossConfig(sentence=0.0, token=0.0, span=0.0, order=0.0, ranking=0.0)
QUERY, DOCUMENT = "Who built the mill?", "It rained. The mill was built by Ann Lee. Nobody knows why."


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A pruner of another size and other weights, with the tiny checkpoint's tokenizer."""
    return make_teacher(tmp_path_factory.mktemp("teacher"), tiny_folder)


def make_teacher(folder: Path, like: Path, max_length: int = 64) -> Path:
    tokenizer = Tokenizer.from_file(str(like / "tokenizer.json"))
    return tiny_checkpoint(folder, max_length=max_length, width=24, layers=3, seed=7, tokenizer=tokenizer)


def taught(config: TrainConfig, teacher: Path, *, labelled: bool = False) -> TrainConfig:
    """Return the config with a teacher, and nothing else to learn from."""
    return replace(
        config,
        teacher=TeacherConfig(str(teacher)),
        loss=NOTHING_ELSE,
        sources=(SourceConfig("train.jsonl", labelled=labelled),),
        run=replace(config.run, steps=120),
        optimizer=OptimizerConfig(learning_rate=3e-3, head_learning_rate=1e-2, average=0.0),
    )


def scores(folder: Path) -> list[float]:
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        return [sentence.score for sentence in compressor.compress(QUERY, [DOCUMENT])[0].sentences]


@given(
    st.lists(st.tuples(st.floats(-12, 12), st.floats(-12, 12)), min_size=1, max_size=20),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_the_divergence_is_kullback_and_leiblers(pairs, temperature):
    """It is the sum over "keep" and "drop" of p log(p / q), times the squared temperature; 0 where they agree."""
    found, wanted = (torch.tensor(side, dtype=torch.float64) for side in zip(*pairs, strict=True))
    q, p = (1 / (1 + np.exp(-side.numpy() / temperature)) for side in (found, wanted))
    expected = temperature**2 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    np.testing.assert_allclose(divergence(found, wanted, temperature).numpy(), expected, atol=1e-8)
    assert float(divergence(wanted, wanted, temperature).abs().max()) < 1e-12


def test_a_model_becomes_like_its_teacher_without_a_label(make_config: Make, teacher_folder: Path, tiny_folder: Path):
    """Where nobody labelled anything the model's scores go to the teacher's, of which nothing is written."""
    before = (teacher_folder / "model.safetensors").read_bytes()
    config = taught(make_config(), teacher_folder)
    folder, _ = run(config, QUIET)
    wanted = np.array(scores(teacher_folder))
    start, found = (np.abs(np.array(scores(one)) - wanted).max() for one in (tiny_folder, folder))
    assert found < 0.5 * start
    assert losses(config)[-1] < 0.2 * losses(config)[0]
    assert (teacher_folder / "model.safetensors").read_bytes() == before
    state = torch.load(Path(config.output) / STATE, weights_only=True)
    assert not [name for name in state["learner"] if "teacher" in name]
    assert "learned from the token probabilities" in (folder / "README.md").read_text(encoding="utf-8")


def test_of_what_nobody_labelled_only_the_teachers_word_counts(make_config: Make, teacher_folder: Path):
    """With every loss on, unlabelled data gives zeros but for the teacher's, the ranking head's among them."""
    config = replace(taught(make_config(), teacher_folder), loss=LossConfig())
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    assert {label for item in corpus.items for label in item.labels.tolist()} == {MASKED}
    run(config, QUIET)
    lines = (Path(config.output) / LOG).read_text(encoding="utf-8").splitlines()
    parts = [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]
    assert {name for one in parts for name, value in one.items() if value} == {"teacher", "loss", "norm"}


def test_labels_and_teacher_go_together(make_config: Make, teacher_folder: Path):
    """Beside labels the teacher's part is one more in the sum."""
    config = replace(taught(make_config(), teacher_folder, labelled=True), loss=LossConfig(teacher=0.5))
    run(config, QUIET)
    last = json.loads((Path(config.output) / LOG).read_text(encoding="utf-8").splitlines()[-1])["loss"]
    weights = {name: getattr(config.loss, name) for name in last if name not in ("loss", "norm")}
    assert last["loss"] == pytest.approx(sum(weight * last[name] for name, weight in weights.items()), abs=1e-4)
    assert last["teacher"] > 0


def test_who_cannot_teach_is_named(make_config: Make, tiny_encoder: Path, tiny_folder: Path, tmp_path: Path):
    """Another vocabulary, shorter windows, or no head that scores tokens: told before any data is read."""
    other = tiny_checkpoint(tmp_path / "other", tokenizer=word_tokenizer())
    short = make_teacher(tmp_path / "short", tiny_folder, max_length=32)
    wrong = {other: "has another vocabulary", tiny_encoder: "is no pruner", short: "reads windows of 32 tokens"}
    for folder, says in wrong.items():
        with pytest.raises(ConfigError, match=says):
            run(taught(make_config(), folder), QUIET)

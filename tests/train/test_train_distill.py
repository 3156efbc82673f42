"""Learning a deeper encoder's states from texts alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slices import part, whole
from tiny import tiny_checkpoint, word_tokenizer
from tokenizers import Tokenizer
from train.test_train_run import QUIET

from secateurs import Compressor
from secateurs.model.attention import attend_by_window
from secateurs.train.config import ConfigError, DistillConfig, OptimizerConfig, StartConfig, TrainConfig
from secateurs.train.data import Preparer
from secateurs.train.distill import States, StateTeacher, apart, load_state_teacher, unexplained
from secateurs.train.loop import LOG, Trainer
from secateurs.train.placement import place
from secateurs.train.runner import run
from secateurs.train.start import load_start
from secateurs.train.state import STATE
from secateurs.train.texts import Text, Texts, lay_texts, windows

Make = Callable[..., TrainConfig]


@pytest.fixture(scope="session")
def deep_folder(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """Four layers, as wide as the tiny checkpoint and with its tokenizer."""
    tokenizer = Tokenizer.from_file(str(tiny_folder / "tokenizer.json"))
    return tiny_checkpoint(tmp_path_factory.mktemp("deep"), layers=4, seed=3, tokenizer=tokenizer)


def distilling(config: TrainConfig, deep: Path, **settings: float) -> TrainConfig:
    """Return a config whose model of two layers learns the states of the third of four."""
    values = {"layer": 3, "pairs": 0.5, "queries": 0.2, **settings}
    return replace(
        config,
        start=StartConfig(model=str(deep), pick=(0, 2), freeze_embeddings=False),
        distill=DistillConfig(model=str(deep), **values),  # type: ignore[arg-type]  # layer is an int
        run=replace(config.run, steps=60, log_steps=10),
        optimizer=OptimizerConfig(learning_rate=3e-3, average=0.0),
    )


def learner_of(config: TrainConfig, stop: Callable[[], bool] = lambda: False) -> Trainer:
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    task = States(config, start, corpus, torch.device("cpu"))
    return Trainer(config, task, placement=place(config.run), stop=stop)


def log(config: TrainConfig) -> list[dict[str, float]]:
    lines = (Path(config.output) / LOG).read_text(encoding="utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


@pytest.mark.sliced
def test_states_become_the_teachers_without_a_label(make_config: Make, deep_folder: Path) -> None:
    """Both parts of the loss fall, dev says so too, and what comes out is a start with empty heads."""
    config = distilling(make_config(dev='files = ["dev.jsonl"]\nevery_steps = 20\nquick = 8'), deep_folder)
    config = replace(config, run=replace(config.run, steps=part(240, 2)))
    folder, measured = run(config, QUIET)
    assert measured is None
    first, *_, last = log(config)
    assert last["tokens"] < (0.5 if whole() else 0.8) * first["tokens"]
    assert last["pooled"] < first["pooled"]
    lines = map(json.loads, (Path(config.output) / LOG).read_text(encoding="utf-8").splitlines())
    dev = [line["dev"]["loss"] for line in lines if "dev" in line]
    assert dev[-1] < dev[0]
    found = load_start(StartConfig(model=str(folder)))
    assert len(list(found.model.encoder.layers)) == 2
    assert not found.model.pruning.weight.any() and not found.model.pruning.bias.any()
    assert "from texts alone" in (folder / "README.md").read_text(encoding="utf-8")
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        scores = [one.score for one in compressor.compress("Who?", ["It rained. Ann Lee built it."])[0].sentences]
    assert scores == pytest.approx([0.5] * len(scores), abs=1e-6)


def test_labels_are_not_looked_at(make_config: Make, deep_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    """The same texts with other evidence give the same weights."""
    records = [json.loads(line) for line in (data_folder / "train.jsonl").read_text("utf-8").splitlines()]
    lines = [json.dumps({**record, "evidence": []}, ensure_ascii=False) for record in records]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    config = distilling(make_config("one"), deep_folder)
    one = learner_of(config).run().state_dict()
    two = learner_of(replace(config, output=config.output + "-two", data=str(tmp_path))).run().state_dict()
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_a_stopped_run_goes_on_bit_for_bit(make_config: Make, deep_folder: Path) -> None:
    """The teacher is no part of the state, and the run ends as if it had not been stopped."""
    config = distilling(make_config("whole"), deep_folder)
    config = replace(config, run=replace(config.run, steps=8, examples=4, batch_tokens=96))
    whole = learner_of(config).run().state_dict()
    calls = iter([False] * 9 + [True])
    told = replace(config, output=config.output + "-told")
    first = learner_of(told, lambda: next(calls))
    first.run()
    assert first.stopped and first.progress.step > 0
    state = torch.load(Path(told.output) / STATE, weights_only=True)
    assert not [name for name in state["learner"] if "teacher" in name]
    resumed = learner_of(told).run().state_dict()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_below_and_above_are_the_whole_encoder(deep_folder: Path) -> None:
    """The states of a layer, finished by those above it, are the last layer's."""
    start = load_start(StartConfig(model=str(deep_folder)))
    ids = np.arange(10, 22, dtype=np.int32)
    batch = lay_texts([Text(ids[:5], None), Text(ids[:4], ids[4:])], start.layout.template)
    attend = attend_by_window(batch.lengths)
    with torch.no_grad():
        whole = start.model.encoder(windows(batch, start.layout.template.document_type), attend)
        for layer in (1, 3, 4):
            model = load_start(StartConfig(model=str(deep_folder))).model
            teacher = StateTeacher(model, start.layout.template.document_type, layer)
            found = teacher.finish(teacher.states(batch, attend), attend)
            assert torch.allclose(found, whole, atol=1e-5)


def test_a_window_is_what_the_compressor_would_read(make_config: Make, deep_folder: Path) -> None:
    """A pair has the control tokens and types of use, a text alone those of its first half; none is too long."""
    config = distilling(make_config(), deep_folder)
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    texts = Texts(corpus, config, start.layout.template, start.layout.max_length)
    template = start.layout.template
    kinds = set()
    for batch in texts.pool(0) + texts.pool(1):
        for text in batch:
            laid = lay_texts([text], template)
            kinds.add(text.second is None)
            assert 0 < len(laid.ids) <= start.layout.max_length
            middle = [] if text.second is None else [*template.between, *text.second]
            expected = [*template.before, *text.first, *middle, *template.after]
            assert laid.ids.tolist() == expected
            head = len(expected) if text.second is None else len(text.first) + len(template.before + template.between)
            assert laid.seconds.tolist() == [0] * head + [1] * (len(expected) - head)
    assert kinds == {True, False}


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 10), st.floats(-5, 5))
def test_what_all_tokens_share_explains_nothing(seed: int, scale: float, shift: float) -> None:
    """Unexplained is 0 at the states themselves, 1 at their mean, and no unit of measure changes it."""
    generator = torch.Generator().manual_seed(seed)
    wanted = torch.randn(30, 4, generator=generator) + 3
    found = wanted + 0.3 * torch.randn(30, 4, generator=generator)
    assert float(unexplained(wanted, wanted)) == 0.0
    assert float(unexplained(wanted.mean(0).expand(30, 4), wanted)) == pytest.approx(1.0, abs=1e-4)
    same = float(unexplained(found, wanted))
    assert float(unexplained(found * scale + shift, wanted * scale + shift)) == pytest.approx(same, rel=1e-2)


def test_the_angle_is_between_means_of_windows() -> None:
    """0 where the means agree, whatever the tokens are; 2 where they are opposite."""
    wanted = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    other = torch.tensor([[2.0, 1.0], [0.0, -1.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert float(apart(other, wanted, (2, 2))) == pytest.approx(0.0, abs=1e-6)
    assert float(apart(-wanted, wanted, (2, 2))) == pytest.approx(2.0, abs=1e-6)


def test_who_cannot_teach_states_is_named(make_config: Make, deep_folder: Path, tmp_path: Path) -> None:
    """Another vocabulary or width, or a layer that is not there: told before a step is taken."""
    other = tiny_checkpoint(tmp_path / "other", tokenizer=word_tokenizer())
    tokenizer = Tokenizer.from_file(str(deep_folder / "tokenizer.json"))
    wide = tiny_checkpoint(tmp_path / "wide", width=24, tokenizer=tokenizer)
    start = load_start(StartConfig(model=str(deep_folder)))
    for config, says in (
        (DistillConfig(str(other)), "another vocabulary"),
        (DistillConfig(str(wide)), "24 wide, the model 16"),
        (DistillConfig(str(deep_folder), layer=5), "has 4 layers"),
    ):
        with pytest.raises(ConfigError, match=says):
            load_state_teacher(config, start, torch.device("cpu"))


def test_picked_layers_are_those_of_the_model(deep_folder: Path) -> None:
    """They stand in the order they are named in; one that is not there is named."""
    whole = load_start(StartConfig(model=str(deep_folder))).model.encoder
    some = load_start(StartConfig(model=str(deep_folder), pick=(3, 1)))
    assert some.base["num_hidden_layers"] == 2
    for place_, layer in enumerate((3, 1)):
        mine = list(some.model.encoder.layers)[place_].state_dict()
        theirs = list(whole.layers)[layer].state_dict()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())
    with pytest.raises(ConfigError, match=r"start\.pick names layer 4"):
        load_start(StartConfig(model=str(deep_folder), pick=(0, 4)))

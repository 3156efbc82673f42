"""A tower taken from an encoder learns to be heard, and what is written scores as it did in training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from tiny import tiny_checkpoint

from secateurs import Compressor, Threshold
from secateurs.errors import CheckpointError
from secateurs.train.config import ConfigError, ContrastConfig, StartConfig, TrainConfig
from secateurs.train.data import Preparer
from secateurs.train.dev import DevSet
from secateurs.train.mixing import Mixer
from secateurs.train.placement import place
from secateurs.train.runner import run
from secateurs.train.start import load_start
from secateurs.train.task import Labels
from secateurs.train.tower import Remembered, centre, rests

Make = Callable[..., TrainConfig]


def test_a_trained_tower_is_written_and_scores_as_on_dev(
    make_config: Make, tiny_folder: Path, tiny_encoder: Path
) -> None:
    """The compressor that loads what was written finds the scores that training measured."""
    tower = f"similarity = {json.dumps(str(tiny_encoder))}\nsimilarity_layers = [0]\nsimilarity_at = 1\n"
    config = make_config(start=tower, dev='files = ["dev.jsonl"]\nevery_steps = 10\n')
    config = replace(config, start=replace(config.start, unit_layer=3))
    folder, measured = run(config, Console(quiet=True))
    assert measured is not None
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))["similarity"]
    assert said == {
        "num_hidden_layers": 1,
        "at_layer": 1,
        "begin_token_id": 0,
        "end_token_id": 2,
        "unit_layer_size": 3,
    }
    written, base = load_file(folder / "model.safetensors"), load_file(tiny_encoder / "model.safetensors")
    layer = "encoder.layer.0.output.dense.weight"
    assert torch.equal(written[f"similarity.{layer}"], base[layer].half())  # it rests
    assert written["similarity.unit_layer.outer.weight"].any()
    assert written["similarity.mix.weight"].any() and written["similarity.centres.weight"].any()
    start = load_start(StartConfig(model=str(folder)))
    dev = DevSet(config.dev, Path(config.data), start, 100)
    scores = dev.score(start.model.eval(), place(config.run))
    records = [json.loads(line) for line in (Path(config.data) / "dev.jsonl").read_text("utf-8").splitlines()]
    with Compressor.from_pretrained(str(folder), policy=Threshold(0.0)) as compressor:
        pairs = [(record["query"], record["context"]) for record in records]
        found = {one.original: [unit.score for unit in one.sentences] for one in compressor.compress_pairs(pairs)}
    assert sorted(map(tuple, np.round([s for one in scores for s in [one]], 4))) == sorted(
        map(tuple, np.round(list(found.values()), 4))
    )


@pytest.mark.parametrize("comparing", [False, True])
def test_a_tower_learns_in_sixteen_bits(make_config: Make, tiny_encoder: Path, comparing: bool) -> None:
    """Matrix products in bfloat16, as on a GPU: a run that hears the tower, and one that trains it."""
    config = make_config()
    start = replace(config.start, similarity=str(tiny_encoder), similarity_at=1, freeze_similarity=not comparing)
    contrast = ContrastConfig(temperature=0.1) if comparing else ContrastConfig()
    short = replace(config.run, steps=2, precision="bfloat16")
    folder, _ = run(replace(config, start=start, contrast=contrast, run=short), Console(quiet=True))
    assert all(tensor.isfinite().all() for tensor in load_file(folder / "model.safetensors").values())


def test_heads_are_fitted_to_what_the_tower_leaves_unsaid(make_config: Make, tiny_encoder: Path) -> None:
    """With the tower heard, fitted heads lose less than the tower alone does."""
    config = make_config()
    start = replace(config.start, similarity=str(tiny_encoder), fit_heads=True)
    made = load_start(replace(start, fit_heads=False))
    corpus = Preparer(made.tokenizer, made.pipeline).run(config.sources, Path(config.data))
    mixer = Mixer(corpus, config, made.layout.template, made.layout.max_length)
    lost = []
    for fitted in (False, True):
        model = load_start(start)
        with torch.no_grad():
            for parameter in model.model.pruning.parameters():
                parameter.zero_()
        task = Labels(replace(config, start=replace(start, fit_heads=fitted)), model, mixer)
        with torch.no_grad():
            lost.append(sum(float(task.learner(task.collate(batch))["token"]) for batch in task.pool(0)))
    assert lost[1] < 0.8 * lost[0]


def test_a_tower_that_rests_reads_each_text_once(make_config: Make, tiny_encoder: Path) -> None:
    """Vectors that are remembered are those of the tower, and are not computed again."""
    start = load_start(replace(make_config().start, similarity=str(tiny_encoder)))
    config = make_config()
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    task = Labels(config, start, mixer)
    batches = [task.collate(batch) for number in (0, 1) for batch in mixer.pool(number)]
    assert start.model.similarity is not None and rests(start.model)
    remembered = Remembered(start.model)
    for batch in batches:
        expected = start.model.similarity.vectors(start.model.encoder.tokens, batch.ids, batch.sides)
        torch.testing.assert_close(remembered.vectors(batch.ids, batch.sides), expected, rtol=0, atol=1e-5)
    calls: list[int] = []
    start.model.similarity.encoder.register_forward_hook(lambda *_: calls.append(1))
    start.model.similarity.encoder.layers[0].register_forward_hook(lambda *_: calls.append(1))
    for batch in batches:
        remembered.vectors(batch.ids, batch.sides)
    assert not calls


def test_centres_are_the_means_of_queries_and_units_and_stay(make_config: Make, tiny_encoder: Path) -> None:
    """A tower without centres gets those of the texts it will read; one that has some keeps them."""
    config = make_config()
    start = load_start(replace(config.start, similarity=str(tiny_encoder)))
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    task = Labels(config, start, Mixer(corpus, config, start.layout.template, start.layout.max_length))
    tower = start.model.similarity
    assert tower is not None
    batches = list(map(task.collate, task.pool(0)))
    vectors = [tower.vectors(start.model.encoder.tokens, batch.ids, batch.sides).detach() for batch in batches]
    sides = [batch.sides.queries for batch in batches]
    for side, some in enumerate(
        ([v[:n] for v, n in zip(vectors, sides, strict=True)], [v[n:] for v, n in zip(vectors, sides, strict=True)])
    ):
        torch.testing.assert_close(tower.centres.weight[side], torch.cat(some).mean(0), rtol=0, atol=1e-5)
    before = tower.centres.weight.clone()
    centre(start.model, batches[:1])
    assert torch.equal(tower.centres.weight, before)


def test_a_tower_must_fit_its_model(make_config: Make, tiny_encoder: Path, tmp_path: Path) -> None:
    """Other word embeddings, and layers that it does not have, are told before anything is trained."""
    other = tiny_checkpoint(tmp_path / "other", max_length=64)
    tensors = load_file(other / "model.safetensors")
    table = next(name for name in tensors if "word_embeddings" in name)
    save_file(tensors | {table: tensors[table] + 1.0}, other / "model.safetensors")
    start = make_config().start
    with pytest.raises(ConfigError, match="other word embeddings"):
        load_start(replace(start, similarity=str(other)))
    with pytest.raises(ConfigError, match=r"similarity_layers names layer 7"):
        load_start(replace(start, similarity=str(tiny_encoder), similarity_layers=(0, 7)))
    with pytest.raises(ConfigError, match=r"start\.unit_layer: the model has no tower"):
        load_start(replace(start, unit_layer=3))
    with pytest.raises(ConfigError, match=r"start\.unit_layer is -1"):
        make_config(start="unit_layer = -1")
    with pytest.raises(ConfigError, match=r"none without start\.similarity"):
        make_config(start="similarity_layers = [0]")


def test_a_tower_that_lacks_a_layer_is_no_start(make_config: Make, tiny_encoder: Path, tmp_path: Path) -> None:
    """What the file does not hold is not made up."""
    config = make_config(start=f"similarity = {json.dumps(str(tiny_encoder))}\n", run="")
    folder, _ = run(replace(config, run=replace(config.run, steps=1)), Console(quiet=True))
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("similarity.encoder.layer.1.")}
    save_file(kept, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks \d+ tensors of the encoder, such as similarity\.encoder"):
        load_start(StartConfig(model=str(folder)))


def test_a_smaller_vocabulary_keeps_the_control_tokens_of_a_tower(make_config: Make, tiny_encoder: Path) -> None:
    """They have other numbers there, and the same embeddings."""
    config = make_config(start=f"similarity = {json.dumps(str(tiny_encoder))}\n", run="")
    folder, _ = run(replace(config, run=replace(config.run, steps=1)), Console(quiet=True))
    said = json.loads((folder / "config.json").read_text("utf-8"))
    pieces = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    last = max(index for index, (piece, _) in enumerate(pieces) if len(piece) == 1)  # pieces of one character stay
    said["similarity"] |= {"begin_token_id": last}
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")
    start = StartConfig(model=str(folder))
    whole, smaller = load_start(start).model, load_start(start, ["mill"]).model
    assert whole.similarity is not None and smaller.similarity is not None
    assert whole.similarity.config.begin == last > smaller.similarity.config.begin
    for one in ("begin", "end"):
        before, after = (getattr(model.similarity.config, one) for model in (whole, smaller))
        assert torch.equal(whole.encoder.tokens.weight[before], smaller.encoder.tokens.weight[after])

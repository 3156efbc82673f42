"""A tower beside the encoder does what transformers' own BERT does with each text alone, and changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from build import POSITIONS, build, shake
from hypothesis import given
from hypothesis import strategies as st
from reference import load_cpu
from safetensors.torch import load_file, save_file

from secateurs.checkpoints import Checkpoint, load
from secateurs.errors import CheckpointError
from secateurs.model.encoders import Batch
from secateurs.model.scorer import Scorer
from secateurs.model.sides import Sides
from secateurs.result.token_scores import probability
from secateurs.windows.packing import Layout, Template, Window
from secateurs.windows.tokenizer import Tokens

TEMPLATE = Template((0,), (2,), (2,), document_type=1)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
TOWER = {"num_hidden_layers": 2, "at_layer": 1, "begin_token_id": 0, "end_token_id": 2, "unit_layer_size": 6}


def build_tower(folder: Path) -> Any:
    """Write a tiny pruner with a tower; return transformers' class that reads a text as the tower does."""
    from transformers import BertConfig, BertModel

    build("openprovence-bert", folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "model.safetensors")
    base = config["base_model_config"] | {"num_hidden_layers": 2}
    torch.manual_seed(11)
    tower = BertModel(BertConfig(**base), add_pooling_layer=False).eval()
    shake(tower)
    with torch.no_grad():
        tower.embeddings.word_embeddings.weight.copy_(tensors["ranking_model.bert.embeddings.word_embeddings.weight"])
    tensors |= {
        f"similarity.{name}": tensor
        for name, tensor in tower.state_dict().items()
        if "word_embeddings" not in name and "position_ids" not in name
    }
    tensors |= {
        "similarity.centres.weight": torch.randn(2, 32) * 0.1,
        "similarity.mix.weight": torch.randn(32, 32) * 0.3,
        "similarity.scale.weight": torch.full((1, 1), 3.0),
        "similarity.unit_layer.inner.weight": torch.randn(24, 33) * 0.3,
        "similarity.unit_layer.inner.bias": torch.randn(24) * 0.3,
        "similarity.unit_layer.outer.weight": torch.randn(1, 6),
    }
    (folder / "config.json").write_text(json.dumps(config | {"similarity": TOWER}), encoding="utf-8")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return tower


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pruner with a tower."""
    made = tmp_path_factory.mktemp("tower")
    build_tower(made)
    return made


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    """The same, loaded."""
    return load_cpu(folder, None)


def some_windows(count: int, seed: int = 3) -> list[Window]:
    """Return windows of documents of several units behind one of four queries."""
    rng = np.random.default_rng(seed)
    queries = [rng.integers(4, 90, size=n).astype(np.int32) for n in (1, 3, 5, 9)]
    found: list[Window] = []
    while len(found) < count:
        lengths = rng.integers(0, 20, size=int(rng.integers(1, 9)))
        ids = rng.integers(4, 90, size=int(lengths.sum())).astype(np.int32)
        plan = Layout(TEMPLATE, POSITIONS).plan(queries[int(rng.integers(4))], Tokens(ids, lengths.astype(np.int64)))
        found += plan.windows
    return found[:count]


def test_the_tower_agrees_with_the_class_of_transformers(tmp_path: Path) -> None:
    """Mean states of each text between its control tokens, without their sides' means, of length 1, multiplied."""
    reads = build_tower(tmp_path)
    model = load_cpu(tmp_path, None).model
    tower = model.similarity
    assert tower is not None
    windows = some_windows(5)
    ids = torch.from_numpy(np.concatenate([window.ids for window in windows]).astype(np.int64))

    def vector(text: np.ndarray, side: int) -> torch.Tensor:
        read = torch.tensor([[0, *text.tolist(), 2]])
        mean = reads(input_ids=read).last_hidden_state[0, 1:-1].mean(0)
        return torch.nn.functional.normalize(mean - tower.centres.weight[side], dim=0)

    with torch.inference_mode():
        found = tower(model.encoder.tokens, ids, Sides.of(windows))
        states, odds, rows = [], [], []
        at = 0
        for window in windows:
            query = vector(window.ids[slice(*window.query)], 0)
            place = window.start
            for length in window.parts:
                agreement = vector(window.ids[place : place + length], 1) * query
                states += [tower.mix.weight @ (agreement * 32**0.5)] * length
                odds += [3.0 * agreement.sum()] * length
                rows += range(at + place, at + place + length)
                place += length
            at += len(window)
    assert found.rows.tolist() == rows
    torch.testing.assert_close(found.states, torch.stack(states), rtol=0, atol=1e-4)
    torch.testing.assert_close(found.odds, torch.stack(odds), rtol=0, atol=1e-4)


def test_units_hear_those_beside_them_in_their_window_alone(checkpoint: Checkpoint) -> None:
    """What a unit gets is what its own numbers, its neighbours' and the largest of its window give, unit by unit."""
    tower = checkpoint.model.similarity
    assert tower is not None and tower.unit_layer is not None
    windows = some_windows(7)
    rows = sum(map(len, windows))
    hidden, odds = torch.randn(rows, 32, generator=torch.Generator().manual_seed(2)), torch.linspace(-3, 2, rows)
    inner, outer = tower.unit_layer.inner, tower.unit_layer.outer
    expected: list[float] = []
    at = 0
    with torch.inference_mode():
        found = tower.unit_layer(hidden, odds, Sides.of(windows))
        for window in windows:
            place, units = at + window.start, []
            for length in filter(None, window.parts):
                own = slice(place, place + length)
                units.append(inner(torch.cat((hidden[own].mean(0), odds[own].mean()[None]))).view(4, 6))
                place += length
            for index, unit in enumerate(units):
                heard = unit[0] + torch.stack([one[3] for one in units]).amax(0)
                heard = heard + (units[index - 1][1] if index else 0)
                heard = heard + (units[index + 1][2] if index + 1 < len(units) else 0)
                expected += [float(outer(torch.nn.functional.gelu(heard)))] * list(filter(None, window.parts))[index]
            at += len(window)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_scores_of_a_model_with_a_tower_do_not_depend_on_batch_mates(checkpoint: Checkpoint, device: str) -> None:
    """Fifty windows score the same alone, in any batch and in any order."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    model = checkpoint.model.to(device)
    windows = some_windows(50)
    alone = Scorer(model, budget=1).score(windows)
    order = np.random.default_rng(5).permutation(len(windows))
    for budget in (97, 100_000):
        shuffled = Scorer(model, budget=budget).score([windows[index] for index in order])
        for index, scores in zip(order, shuffled, strict=True):
            np.testing.assert_allclose(
                probability(scores.tokens), probability(alone[index].tokens), rtol=0, atol=1e-5
            )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_tower_computes_in_sixteen_bits(checkpoint: Checkpoint, folder: Path, dtype: torch.dtype) -> None:
    """Probabilities are those of 32 bits but for rounding; a query without a token is no fault."""
    windows = [*some_windows(8), Window(np.array([0, 2, 5, 6, 2], dtype=np.int32), 2, 2, query=(1, 1), parts=(2,))]
    narrow = load(folder, family=None, device=torch.device("cpu"), dtype=dtype).model
    pairs = zip(Scorer(narrow).score(windows), Scorer(checkpoint.model.to("cpu")).score(windows), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(probability(found.tokens), probability(expected.tokens), rtol=0, atol=0.1)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_every_token_of_a_document_belongs_to_its_part_and_its_query(count: int, seed: int) -> None:
    """The texts of a batch are those of its windows: each query once, each part in its place."""
    windows = some_windows(count, seed)
    sides = Sides.of(windows)
    flat = np.concatenate([window.ids for window in windows])
    texts = [flat[start : start + length].tolist() for start, length in zip(sides.starts, sides.lengths, strict=True)]
    queries, parts = texts[: sides.queries], texts[sides.queries :]
    assert len(set(map(tuple, queries))) == len(queries)
    documents = [window.ids[window.start :][: window.tokens] for window in windows]
    assert flat[sides.rows].tolist() == np.concatenate(documents).tolist() == [id for part in parts for id in part]
    assert sides.parts.tolist() == [index for index, part in enumerate(parts) for _ in part]
    wanted = [window.ids[slice(*window.query)].tolist() for window in windows for _ in window.parts]
    assert [queries[owner] for owner in sides.owners] == wanted


def test_a_model_with_a_tower_asks_where_the_texts_stand(checkpoint: Checkpoint) -> None:
    """Without that it scores nothing, and says so."""
    ids = torch.tensor([0, 5, 2, 6, 7, 2])
    with pytest.raises(ValueError, match="where queries and units stand"):
        checkpoint.model(Batch.of(ids, torch.zeros_like(ids), [6]))


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no table": (lambda config: config.update(similarity=[1]), "must describe a tower"),
    "too few layers": (lambda config: config["similarity"].update(num_hidden_layers=1), "has no use for"),
    "too many layers": (lambda config: config["similarity"].update(num_hidden_layers=3), "lacks similarity"),
    "a layer beyond": (lambda config: config["similarity"].update(at_layer=9), "expected 0 to 4"),
    "a token beyond": (lambda config: config["similarity"].update(end_token_id=10**6), "beyond the vocabulary"),
    "a key missing": (lambda config: config["similarity"].pop("begin_token_id"), "begin_token_id"),
    "no layer over units": (lambda config: config["similarity"].pop("unit_layer_size"), "has no use for"),
    "a smaller one": (lambda config: config["similarity"].update(unit_layer_size=5), "unit_layer"),
    "none at all": (lambda config: config["similarity"].update(unit_layer_size=-1), "unit_layer_size"),
    "no tower": (lambda config: config.pop("similarity"), "has no use for"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_tower_that_does_not_fit_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """What config.json says of the tower is what the file holds, or the checkpoint does not load."""
    change, message = WRONG[name]
    for part in ("model.safetensors", "tokenizer.json"):
        (tmp_path / part).write_bytes((folder / part).read_bytes())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    change(config)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        load_cpu(tmp_path, None)

"""The encoders agree with transformers' own classes, and with themselves however windows are laid out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from build import KINDS, LOCAL, POSITIONS, Reference, build
from reference import load_cpu

from secateurs.checkpoints import Checkpoint
from secateurs.errors import CheckpointError
from secateurs.model.attention import attend_by_window, attend_padded, distance_buckets
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Pruner
from secateurs.model.scorer import Scorer
from secateurs.result.token_scores import probability
from secateurs.windows.packing import Window

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
TOLERANCE = 1e-5
LENGTHS = (1, 2, 3, LOCAL // 2, LOCAL // 2 + 1, LOCAL, LOCAL + 2, 40, POSITIONS - 1, POSITIONS)


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory) -> tuple[str, Checkpoint, Reference]:
    """A tiny checkpoint of a kind, loaded by us, and the class that made it."""
    folder = tmp_path_factory.mktemp(request.param)
    run = build(request.param, folder)
    return request.param, load_cpu(folder, "opensearch" if request.param == "opensearch" else None), run


@cache
def windows(lengths: tuple[int, ...], document_type: int) -> list[Window]:
    """Return random windows of some lengths, half of each of the second type."""
    generator = np.random.default_rng(3)
    made = []
    for length in lengths:
        ids = generator.integers(4, 90, size=length).astype(np.int32)
        made.append(Window(ids, length // 2, length - length // 2, document_type))
    return made


def on(model: Pruner, device: str) -> Pruner:
    """Return the model on a device, or skip."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    return model.to(device)


@pytest.mark.parametrize("device", DEVICES)
def test_every_encoder_agrees_with_the_class_of_transformers(made, device) -> None:
    """Every token's probability and every window's ranking logit, from one token to a full position table."""
    kind, checkpoint, run = made
    scorer = Scorer(on(checkpoint.model, device), budget=100)
    some = windows(LENGTHS, checkpoint.layout.template.document_type)
    for window, scores in zip(some, scorer.score(some), strict=True):
        ids = torch.from_numpy(window.ids.astype(np.int64))
        types = (torch.arange(len(ids)) >= window.start).long() * window.document_type
        probabilities, logit = run(ids, types)
        found = probability(scores.tokens)
        np.testing.assert_allclose(found, probabilities[window.start :].numpy(), rtol=0, atol=TOLERANCE)
        assert (scores.ranking is None) == (logit is None), kind
        if logit is not None:
            assert scores.ranking == pytest.approx(float(logit), abs=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("attend", [attend_by_window, attend_padded])
def test_a_window_scores_the_same_alone_packed_and_padded(made, attend, device) -> None:
    """Windows of one batch know nothing of each other, with or without padding between them."""
    _, checkpoint, _ = made
    model = on(checkpoint.model, device)
    lengths = (POSITIONS, 1, 40, 40, LOCAL + 2, 2)
    ids = [torch.from_numpy(window.ids.astype(np.int64)).to(device) for window in windows(lengths, 0)]
    batch = Batch.of(torch.cat(ids), torch.zeros(sum(lengths), dtype=torch.int64, device=device), lengths)
    with torch.inference_mode():
        together = torch.split(model.encoder(batch, attend(lengths)), lengths)
        for one, hidden in zip(ids, together, strict=True):
            alone = Batch.of(one, torch.zeros_like(one), (len(one),))
            expected = model.encoder(alone, attend_by_window((len(one),)))
            found, wanted = (torch.softmax(model.pruning(vectors), -1) for vectors in (hidden, expected))
            torch.testing.assert_close(found, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("device", DEVICES)
def test_scores_do_not_depend_on_batch_mates_or_order(made, device) -> None:
    """A hundred windows of mixed lengths score the same alone, in any batch and in any order."""
    _, checkpoint, _ = made
    model = on(checkpoint.model, device)
    generator = np.random.default_rng(5)
    some = windows(tuple(int(n) for n in generator.integers(2, POSITIONS + 1, size=100)), 0)
    alone = Scorer(model, budget=1).score(some)
    order = generator.permutation(len(some))
    for budget in (97, 1000, 100_000):
        shuffled = Scorer(model, budget=budget).score([some[index] for index in order])
        for index, scores in zip(order, shuffled, strict=True):
            np.testing.assert_allclose(
                probability(scores.tokens), probability(alone[index].tokens), rtol=0, atol=TOLERANCE
            )
            assert (scores.ranking or 0.0) == pytest.approx(alone[index].ranking or 0.0, abs=TOLERANCE * 10)


def test_the_window_is_the_position_table(made) -> None:
    """A checkpoint's longest window has exactly one position for each of its tokens."""
    kind, checkpoint, _ = made
    assert checkpoint.layout.max_length == POSITIONS == checkpoint.model.config.max_tokens
    one_more = windows((POSITIONS + 1,), 0)
    result = Scorer(checkpoint.model).score(one_more)[0]
    has_table = kind not in ("openprovence-modernbert", "provence")
    assert isinstance(result, Exception) == has_table


def test_distance_buckets_are_those_of_transformers() -> None:
    """The bucket of every distance, for the published sizes and for small ones."""
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    for buckets, most, longest in [(256, 512, 512), (16, 256, 256), (16, 96, 96), (4, 64, 64)]:
        distance = torch.arange(1 - longest, longest)
        expected = make_log_bucket_position(distance, buckets, most).long() + buckets
        assert distance_buckets(longest, buckets, most).tolist() == expected.clamp(0, 2 * buckets - 1).tolist()


def test_modernbert_as_either_transformers_writes_it_is_the_same_model(tmp_path: Path) -> None:
    """Rotary bases and global layers stand in fields in version 4, and in tables in 5, which alone are enough."""
    build("openprovence-modernbert", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    both = load_cpu(tmp_path).model.config
    assert both.global_every == 3
    base = config["base_model_config"]
    fields = {"global_rope_theta": 160000.0, "local_rope_theta": 10000.0, "global_attn_every_n_layers": 3}
    tables = {key: base.pop(key) for key in ("rope_parameters", "layer_types")}
    base.pop("global_attn_every_n_layers")
    for written in (fields, tables):
        config["base_model_config"] = base | written
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        assert load_cpu(tmp_path).model.config == both


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer_types": ["full_attention"] * 2 + ["sliding_attention"] * 2}, "'layer_types' is"),
        ({"layer_types": ["sliding_attention"] * 4}, "'layer_types' is"),
        ({"layer_types": ["full_attention"]}, "'layer_types' is"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "positions are scaled .'yarn'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "linear", "rope_theta": 1e4}}}, "scaled .'linear'"),
    ],
)
def test_a_modernbert_that_would_score_otherwise_is_refused(change, message, tmp_path: Path) -> None:
    """What the config asks for and this package does not do is told, and never left out in silence."""
    build("openprovence-modernbert", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["base_model_config"] |= change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        load_cpu(tmp_path)

"""Any encoder or reranker of the three architectures that transformers writes is a start."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tiny import tiny_tokenizer

from secateurs import Compressor
from secateurs.errors import CheckpointError
from secateurs.model.attention import attend_by_window
from secateurs.model.encoders import Batch
from secateurs.train.config import ConfigError, StartConfig, TrainConfig
from secateurs.train.runner import run
from secateurs.train.start import load_start

transformers = pytest.importorskip("transformers")

KINDS = {"bert": "Bert", "xlm-roberta": "XLMRoberta", "modernbert": "ModernBert"}


def published(folder: Path, kind: str, head: str) -> Any:
    """Write a tiny model the way it is published, and return it."""
    tokenizer = tiny_tokenizer()
    shape: dict[str, Any] = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": 66,
        "num_labels": 1,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    if kind == "modernbert":
        shape |= {"cls_token_id": 0, "sep_token_id": 2, "local_attention": 8}
    if kind == "xlm-roberta":
        shape |= {"type_vocab_size": 1}
    torch.manual_seed(0)
    model = getattr(transformers, KINDS[kind] + head)(getattr(transformers, f"{KINDS[kind]}Config")(**shape)).eval()
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["Model", "ForSequenceClassification", "ForMaskedLM"])
def test_a_start_computes_what_transformers_computes(tmp_path: Path, kind: str, head: str) -> None:
    """Encoder (and ranking head, where there is one) are loaded as they are; heads of other tasks stay behind."""
    model = published(tmp_path, kind, head)
    start = load_start(StartConfig(model=str(tmp_path)))
    ids = torch.tensor([0, 5, 6, 2, 2, 9, 10, 11, 2])
    batch = Batch.of(ids, torch.zeros_like(ids), (len(ids),))
    inputs = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
    with torch.no_grad():
        base = model if head == "Model" else model.base_model
        expected = base(**inputs).last_hidden_state[0]
        encoder = start.model.encoder
        hidden = encoder.normed(encoder(batch, attend_by_window(batch.lengths)))
        assert torch.allclose(hidden, expected, atol=1e-5)
        if head == "ForSequenceClassification":
            assert start.model.ranking is not None
            ranking = start.model.ranking(hidden, batch.lengths)
            assert torch.allclose(ranking, model(**inputs).logits[0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_put_on_top_are_those_of_the_deeper_model(tmp_path: Path, kind: str) -> None:
    """The lowest layer of a model with the others of the same model on top of it is the model again."""
    published(tmp_path, kind, "Model")
    whole = load_start(StartConfig(model=str(tmp_path)))
    grown = load_start(StartConfig(model=str(tmp_path), layers=1, upper=str(tmp_path)))
    assert grown.base["num_hidden_layers"] == 3
    assert grown.base == whole.base
    expected = whole.model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in grown.model.state_dict().items())


def test_layers_that_do_not_fit_are_refused(tmp_path: Path, tiny_folder: Path) -> None:
    """Layers of another architecture or width, and of a model that is not deeper, are named."""
    published(tmp_path, "bert", "Model")
    published(tmp_path / "other", "modernbert", "Model")
    with pytest.raises(ConfigError, match=r"start\.upper is a 'modernbert', the model a 'bert'"):
        load_start(StartConfig(model=str(tmp_path), upper=str(tmp_path / "other")))
    with pytest.raises(ConfigError, match=r"start\.upper has 3 layers, the model has 3"):
        load_start(StartConfig(model=str(tmp_path), upper=str(tmp_path)))
    with pytest.raises(CheckpointError, match="expected"):
        load_start(StartConfig(model=str(tiny_folder), layers=1, upper="secateurs-xsmall"))


@pytest.mark.parametrize("kind", ["xlm-roberta", "modernbert"])
def test_a_reranker_becomes_a_pruner(tmp_path: Path, make_config: Callable[..., TrainConfig], kind: str) -> None:
    """Two of its layers are trained, written in the OpenProvence layout, and compress."""
    published(tmp_path / "reranker", kind, "ForSequenceClassification")
    config = make_config(model=tmp_path / "reranker", start="layers = 2")
    folder, _ = run(config, Console(quiet=True))
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        result = compressor.compress("Who built the mill?", ["It rained. The mill was built by Ann Lee."])[0]
    assert result.status != "error"
    assert result.ranking_score is not None

"""The edges of the window: one token less, exactly full, one more; and queries and sentences larger than it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from laws import check_laws
from slices import spread
from tiny import tiny_checkpoint, word_tokenizer
from tokenizers import processors

from secateurs import Compressor, Threshold
from secateurs.checkpoints import load
from secateurs.checkpoints.tokenizer import pair_template
from secateurs.errors import CheckpointError

EDGES = (-2, -1, 0, 1, 2)


class Watched:
    """The model's protocol around a real model: remembers the windows of every pass."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device, self.dtype = model.device, model.dtype
        self.lengths: list[int] = []

    def __call__(self, batch: Any) -> Any:
        """Score a batch."""
        self.lengths.extend(batch.lengths)
        return self.model(batch)


def watched(folder: Any) -> tuple[Compressor, Watched]:
    """Load a compressor whose passes are watched."""
    checkpoint = load(folder, family=None, device=torch.device("cpu"), dtype=torch.float32)
    model = Watched(checkpoint.model)
    compressor = Compressor(
        replace(checkpoint, model=model),  # type: ignore[arg-type]  # the model's protocol
        segmenter=at_stops,
    )
    return compressor, model


def at_stops(text: str) -> list[tuple[int, int]]:
    """Cut a text behind its full stops: ours would cut a sentence that is longer than a unit may be."""
    ends = [*(found.end() for found in re.finditer(r"\.\s+", text)), len(text)]
    return [span for span in pairwise([0, *dict.fromkeys(ends)]) if span[0] < span[1]]


@pytest.fixture(scope="module", params=[512, 8192])
def full(request, tmp_path_factory):
    """A compressor with as many positions as published encoders have, and one token a word."""
    folder = tmp_path_factory.mktemp(f"window{request.param}")
    tiny_checkpoint(folder, max_length=request.param, tokenizer=word_tokenizer(), layers=1)
    return (*watched(folder), request.param)


@pytest.mark.parametrize("off", EDGES)
def test_a_window_is_filled_to_its_last_token_and_never_over_it(full, off):
    """Around the window's size no pass is longer than it, every token is in one, and one token more opens another."""
    compressor, model, limit = full
    model.lengths.clear()
    head = 4 + 4  # words of the query, and the control tokens
    words = limit - head + off
    document = " ".join(["mill"] * (words // 2)) + ". " + " ".join(["the"] * (words - words // 2 - 1)) + " end."
    result = compressor.compress("Who built the mill?", [document], policy=Threshold(0.0))[0]
    check_laws(result, document, 0.0)
    assert len(result.sentences) == 2
    assert max(model.lengths) <= limit
    assert len(model.lengths) == (1 if off <= 0 else 2)
    assert sum(model.lengths) == words + len(model.lengths) * head
    assert result.warnings == ()


@pytest.mark.parametrize("off", EDGES)
def test_a_sentence_around_half_a_window_says_when_it_is_split(full, off):
    """A sentence of up to half a window is scored at once; one token more, and the result says that it was split."""
    compressor, model, limit = full
    model.lengths.clear()
    document = " ".join(["mill"] * (limit // 2 + off))
    result = compressor.compress("Who?", [document], policy=Threshold(0.0))[0]
    check_laws(result, document, 0.0)
    assert result.warnings == (("sentence_split",) if off > 0 else ())
    assert max(model.lengths) <= limit


@pytest.mark.parametrize("times", [0.75, 1, 3])
@pytest.mark.parametrize("off", spread((0, -1, 1, -2, 2), 2))
def test_a_query_around_and_over_the_window_says_when_it_is_shortened(full, off, times):
    """A query over three quarters of the window is cut there, with a warning; the document loses nothing."""
    compressor, model, limit = full
    model.lengths.clear()
    query = " ".join(["built"] * (int(limit * times) + off))
    document = "The mill was built. " * (limit // 8)
    result = compressor.compress(query, [document], policy=Threshold(0.0))[0]
    check_laws(result, document, 0.0)
    assert result.warnings == (("query_shortened",) if times > 0.75 or off > 0 else ())
    assert max(model.lengths) <= limit
    heads = min(len(query.split()), limit * 3 // 4) + 4
    assert sum(model.lengths) == len(document.split()) + heads * len(model.lengths)


@pytest.mark.parametrize("limit", [16, 17, 18, 19, 20, 24])
def test_in_the_smallest_windows_a_long_query_leaves_room_for_a_token(tmp_path, limit):
    """Where three quarters and the control tokens would fill a window, the query gives way: one token always fits."""
    compressor, model = watched(tiny_checkpoint(tmp_path, max_length=limit, tokenizer=word_tokenizer()))
    document = "The mill was built in 1842. It burned down twice, and nobody knows why. It was."
    result = compressor.compress("built " * 30, [document], policy=Threshold(0.0))[0]
    check_laws(result, document, 0.0)
    assert result.status == "unchanged"
    assert "query_shortened" in result.warnings
    assert max(model.lengths) <= limit
    heads = min(limit * 3 // 4, limit - 5) + 4
    assert sum(model.lengths) == len(document.split()) + heads * len(model.lengths)


def test_a_window_that_control_tokens_fill_is_no_checkpoint(tmp_path):
    """A tokenizer that puts more control tokens around a pair than the window holds is refused when it is loaded."""
    tokenizer = word_tokenizer()
    folder = tiny_checkpoint(tmp_path, max_length=16, tokenizer=tokenizer)
    many = " ".join(["</s>"] * 20)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair=f"<s> $A {many} $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    assert pair_template(folder, tokenizer, tokenizer.get_vocab_size()).size == 22
    with pytest.raises(CheckpointError, match="too short to hold a query, a sentence and 22 control tokens"):
        Compressor.from_pretrained(folder, device="cpu")


def test_a_sentence_split_over_windows_keeps_one_finite_score(layout):
    """In every layout a sentence of several windows has one score in [0, 1], and its neighbours keep theirs."""
    checkpoint = layout._loaded
    layout, limit = Compressor(checkpoint, segmenter=at_stops), checkpoint.layout.max_length
    long = "mill and Moon " * limit
    document = f"Ann built it. {long.strip()}. It rained."
    results = layout.compress("Who?", [document, long, f"a. {long}"], policy=Threshold(0.0))
    for result in results:
        check_laws(result, result.original, 0.0)
        assert result.status == "unchanged"
        assert "sentence_split" in result.warnings
    assert len(results[0].sentences) == 3
    assert np.isfinite([s.score for s in results[0].sentences]).all()

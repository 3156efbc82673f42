"""The laws of one result (house rule: whatever the text and whatever the model says, these hold)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from secateurs import Compression

_SPACES = {chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()}
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # two halves that JSON makes one character of


def check_laws(result: Compression, original: str, threshold: float | None = None) -> None:
    """Check every law of a result that holds whatever the model says.

    Args:
        result: What came back.
        original: The document as it went in.
        threshold: What decided, where that was a `Threshold` alone.
    """
    assert result.original == original
    _check_sentences(result, original)
    savings = result.savings
    assert savings.before - savings.after == savings.saved >= 0
    assert savings.after >= 0
    assert _ink(result.text) == _ink("".join(original[start:end] for start, end in result.spans))
    if result.parts is not None:
        check_slices(result)
    _check_end(result)
    assert all(0 <= one.start < one.end <= len(original) for one in result.spans)
    assert all(one.end < other.start for one, other in pairwise(result.spans))
    assert result.ranking_score is None or 0.0 <= result.ranking_score <= 1.0
    _check_status(result)
    if result.status in ("compressed", "dropped") and threshold is not None:
        assert [s.kept and not s.frame for s in result.sentences] == [
            s.score >= threshold and not s.frame for s in result.sentences
        ]
    if not _PAIR.search(original):
        data = result.to_dict()
        assert json.loads(json.dumps(data)) == data


def check_same(found: Sequence[Compression], wanted: Sequence[Compression]) -> None:
    """Check that results are the same but for what other company in a forward pass does to scores: 1e-5 at most."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert _numbers(one) == pytest.approx(_numbers(other), rel=0, abs=1e-5)
        assert _without_numbers(one) == _without_numbers(other)


def check_alike(found: object, wanted: object) -> None:
    """Check that what JSON holds is the same but for what other company in a forward pass does to scores."""
    if isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=0, abs=1e-5)
    elif isinstance(wanted, dict):
        assert isinstance(found, dict) and list(found) == list(wanted)
        for key, value in wanted.items():
            check_alike(found[key], value)
    elif isinstance(wanted, list | tuple):
        assert isinstance(found, list) and len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            check_alike(one, other)
    else:
        assert found == wanted


def _numbers(result: Compression) -> list[float]:
    """Every score; -1 for none."""
    ranking = -1.0 if result.ranking_score is None else result.ranking_score
    return [*(sentence.score for sentence in result.sentences), ranking]


def _without_numbers(result: Compression) -> Compression:
    sentences = tuple(replace(sentence, score=0.0) for sentence in result.sentences)
    return replace(result, sentences=sentences, ranking_score=None)


def check_slices(result: Compression) -> None:
    """Check that a text is made of slices of the document in order, and that what joins them is no word.

    White space, the marks of a block quote and the elision mark may join them; of the units that stay white space,
    such marks and a comma may be missing.
    """
    text, original, at, reach = result.text, result.original, 0, 0
    mark = result.parts.elision if result.parts else None
    left = [original[start:end] for start, end in result.spans]
    joints = []
    for start, end, place in result.slices:
        assert reach <= start < end
        assert text[place : place + end - start] == original[start:end]
        joints.append(text[at:place])
        at, reach = place + end - start, end
        assert any(first <= start and end <= last for first, last in result.spans)
    joined = "".join((*joints, text[at:]))
    assert set((joined.replace(mark, "") if mark else joined).replace(">", "")) <= {" ", *_SPACES}, joined
    sliced = "".join(original[start:end] for start, end, _ in result.slices)
    assert _ink(sliced) == _ink("".join(left))
    assert sliced.count(",") + len(result.kept) >= "".join(left).count(",")


def _ink(text: str) -> str:
    """A text without white space, and without what cutting may take or repeat: JSON's commas, a quote's marks."""
    return re.sub(r"[\s,>]+", "", text)


def _check_end(result: Compression) -> None:
    """White space at the end is the original's own."""
    end = result.text[len(result.text.rstrip()) :]
    assert result.original.endswith(end)


def _check_sentences(result: Compression, original: str) -> None:
    """The sentences tile the document and have scores."""
    assert "".join(s.text for s in result.sentences) == original
    at = 0
    for sentence in result.sentences:
        assert sentence.start == at < sentence.end
        assert original[sentence.start : sentence.end] == sentence.text
        assert 0.0 <= sentence.score <= 1.0
        assert type(sentence.score) is float
        at = sentence.end
    assert at == len(original)


def _check_status(result: Compression) -> None:
    """What the status says is so."""
    kept = [s.kept for s in result.sentences]
    assert result.status in ("compressed", "unchanged", "dropped", "error")
    if result.status in ("unchanged", "error"):
        assert result.text == result.original
        assert all(kept)
    if result.status == "unchanged":
        assert result.reason in ("nothing_cut", "no_gain", "blank")
        assert (result.reason == "blank") == (not result.original.strip())
    if result.status == "error":
        assert result.reason is not None
        assert result.reason.startswith("error: ")
    if result.status == "dropped":
        assert result.text == ""
        copies = [s.copy_of is not None for s in result.sentences]
        assert result.reason == "nothing_passed" or (result.reason == "nothing_new" and any(copies))
        assert not any(kept)
    if result.status == "compressed":
        assert result.reason is None
        assert any(kept)
        assert not all(kept)
        assert result.savings.saved > 0

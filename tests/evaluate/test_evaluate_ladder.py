"""The ladder says at every threshold what `Compressor` does there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs import Compressor, Threshold
from secateurs.evaluate.ladder import Scored, build, covers, sentence_labels
from secateurs.evaluate.records import Record
from secateurs.evaluate.systems import CheckpointSystem
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Span, merge_spans

TEXT = (
    "The mill was built in 1842 by Ann Lee. It burned down twice. Nobody knows why. 水车建于1842年。没有人知道原因。"
)


def record(text: str = TEXT, evidence=((4, 8), (30, 45)), query: str = "Who built the mill?") -> Record:
    return Record("a", "en", query, text, tuple(Span(*pair) for pair in evidence))


tilings = st.lists(st.integers(1, 9), min_size=1, max_size=10).map(lambda sizes: np.cumsum(sizes).astype(np.int64))


@st.composite
def tiled_evidence(draw):
    ends = draw(tilings)
    cuts = sorted(draw(st.sets(st.integers(0, int(ends[-1])), max_size=8)))
    return ends, [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


@given(tiled_evidence())
def test_a_sentence_is_positive_iff_it_overlaps_evidence(case):
    """Labels agree with the label rule, character by character."""
    ends, evidence = case
    marked = {place for start, end in evidence for place in range(start, end)}
    starts = [0, *ends[:-1]]
    naive = [any(place in marked for place in range(a, b)) for a, b in zip(starts, ends, strict=True)]
    assert sentence_labels(ends, evidence).tolist() == naive


@given(tiled_evidence(), st.data())
def test_evidence_survives_whole_iff_it_lies_in_one_merged_kept_span(case, data):
    """Whole means: fully inside the merged kept spans."""
    ends, evidence = case
    flags = data.draw(st.lists(st.booleans(), min_size=len(ends), max_size=len(ends)))
    starts = [0, *ends[:-1]]
    kept = merge_spans((int(a), int(b)) for a, b, flag in zip(starts, ends, flags, strict=True) if flag)
    for (first, last), (start, end) in zip(covers(ends, evidence), evidence, strict=True):
        inside = any(a <= start and end <= b for a, b in kept)
        assert all(flags[first : last + 1]) == inside


def test_every_rung_is_what_the_compressor_does(tiny: Compressor):
    """At every threshold: the sentences, tokens, characters and evidence of a real compression."""
    item = record()
    scored = CheckpointSystem("tiny", tiny).score([item])[0]
    ladder = build(item, scored, TokenCounter())
    thresholds = sorted({0.0, 1.0, *scored.scores.tolist(), *(scored.scores + 1e-9).tolist()})
    for threshold in thresholds:
        result = tiny.compress(item.query, [item.context], policy=Threshold(min(threshold, 1.0)))[0]
        outcome = ladder.at(threshold)
        assert outcome.kept == len(result.kept)
        assert outcome.tokens == result.savings.after
        assert ladder.tokens == result.savings.before
        assert outcome.characters == len(result.text)
        whole = [span for span in item.evidence if any(a <= span[0] and span[1] <= b for a, b in result.spans)]
        assert outcome.evidence == len(whole)
        right = [s for s in result.kept if any(s.start < b and a < s.end for a, b in item.evidence)]
        assert outcome.right == len(right)
    default = tiny.compress(item.query, [item.context])[0]
    assert ladder.default is not None and ladder.default.tokens == default.savings.after


def test_a_cut_that_saves_nothing_is_not_made():
    """A document that cutting would not shorten comes back whole, as from the compressor."""
    item = record("abc def", [(0, 3)])
    scored = Scored(np.array([4, 7]), np.array([0.1, 0.9]))
    ladder = build(item, scored, lambda text: 1)
    assert ladder.at(0.5) == ladder.at(0.0) == (2, 1, 7, 1, 1)
    assert ladder.at(0.95) == (0, 0, 0, 1, 0)


@pytest.mark.parametrize("text", ["", " \n "])
def test_a_blank_document_is_never_cut(text: str):
    """A blank document comes back whole at every threshold."""
    scored = Scored(np.array([len(text)] if text else [], dtype=np.int64), np.zeros(len(text[:1])))
    ladder = build(record(text, ()), scored, len)
    assert ladder.at(1.0) == ladder.at(0.0)
    assert ladder.at(0.7).characters == len(text)


def test_a_failed_document_counts_as_kept_whole():
    """What could not be scored comes back whole, at the default, too."""
    scored = Scored(np.array([len(TEXT)]), np.zeros(1), failed=True)
    ladder = build(record(), scored, len)
    assert ladder.failed and ladder.at(0.9).characters == len(TEXT) and ladder.at(0.9).evidence == 2


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_a_higher_threshold_never_keeps_more(scores):
    """Characters and evidence kept never rise with the threshold, where every cut saves."""
    text = "x" * len(scores)
    item = record(text, [(0, len(scores))])
    ladder = build(item, Scored(np.arange(1, len(scores) + 1), np.array(scores)), len)
    outcomes = [ladder.at(step / 20) for step in range(21)]
    for low, high in pairwise(outcomes):
        assert high.characters <= low.characters and high.evidence <= low.evidence

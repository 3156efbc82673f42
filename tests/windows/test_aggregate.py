"""Token scores become sentence scores by the written rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.result.token_scores import probability
from secateurs.windows.aggregate import fill_missing, head_scores, mean_scores, vote_scores

RULES = [mean_scores, vote_scores, head_scores]
log_odds = st.floats(-40, 40, width=32)
sentence = st.lists(log_odds, min_size=1, max_size=30)
# many equal values, so that shares and probabilities meet thresholds exactly
lumpy = st.lists(st.sampled_from([-40.0, -2.0, -1.0, 0.0, 1.0, 2.0, 40.0]), min_size=1, max_size=12)


def score(rule, *sentences: list[float]) -> np.ndarray:
    """Apply a rule to sentences of one part each."""
    flat = np.array([x for some in sentences for x in some], dtype=np.float32)
    lengths = np.array([len(some) for some in sentences], dtype=np.int64)
    return rule(flat, lengths, np.arange(len(sentences)), len(sentences))


def votes(tokens: list[float], threshold: float) -> bool:
    """Decide as the reference does: does the share of tokens above the threshold exceed it?"""
    probabilities = probability(np.array(tokens, dtype=np.float32))
    return int((probabilities > threshold).sum()) / len(tokens) > threshold


def thresholds_near(tokens: list[float]) -> list[float]:
    """Return thresholds where a decision may turn: shares, probabilities, and their neighbours."""
    exact = [k / len(tokens) for k in range(len(tokens) + 1)]
    exact += [*probability(np.array(tokens, dtype=np.float32)).tolist(), 0.1, 0.3, 0.5, 0.7, 0.999]
    near = {t for x in exact for t in (x, math.nextafter(x, 0.0), math.nextafter(x, 1.0))}
    return sorted(t for t in near if 0.0 < t <= 1.0)


@given(st.lists(st.one_of(sentence, lumpy), min_size=1, max_size=6), st.floats(0, 1, exclude_min=True))
def test_one_score_decides_the_vote_at_every_threshold(sentences, other) -> None:
    """`score >= T` is exactly "the share of tokens with p > T exceeds T", wherever it could turn."""
    for tokens, found in zip(sentences, score(vote_scores, *sentences), strict=True):
        for threshold in [*thresholds_near(tokens), other]:
            assert (found >= threshold) == votes(tokens, threshold), threshold


@given(sentence, st.data())
def test_parts_of_a_sentence_vote_together(tokens, data) -> None:
    """A sentence in several windows is decided by all of its tokens, as if it were in one."""
    cut = data.draw(st.integers(0, len(tokens) - 1))
    lengths = np.array([length for length in (cut, len(tokens) - cut) if length])
    flat = np.array(tokens, dtype=np.float32)
    parts = vote_scores(flat, lengths, np.zeros(len(lengths), dtype=np.int64), 1)
    assert parts.tolist() == score(vote_scores, tokens).tolist()


@given(st.lists(sentence, min_size=1, max_size=5))
def test_the_mean_rule_is_the_mean_of_probabilities(sentences) -> None:
    """A sentence's score is the average of its tokens' probabilities."""
    expected = [np.mean(1 / (1 + np.exp(-np.array(tokens, dtype=np.float64)))) for tokens in sentences]
    np.testing.assert_allclose(score(mean_scores, *sentences), expected, atol=1e-7)


def test_the_mean_rule_weighs_parts_equally() -> None:
    """A short last part counts as much as a full one, as in the reference."""
    found = mean_scores(np.float32([99, 99, 99, -99]), np.array([3, 1]), np.array([0, 0]), 1)
    assert found.tolist() == [0.5]


@given(st.lists(sentence, min_size=1, max_size=5))
def test_a_linear_head_of_the_mean_vector_is_the_mean_of_the_heads(sentences) -> None:
    """Averaging log-odds gives what a softmax head says of the average vector."""
    generator = np.random.default_rng(0)
    weight, bias = generator.normal(size=(2, 8)), generator.normal(size=2)
    for tokens in sentences:
        vectors = generator.normal(size=(len(tokens), 8))
        logits = vectors.mean(0) @ weight.T + bias
        expected = np.exp(logits[1]) / np.exp(logits).sum()
        each = vectors @ weight.T + bias
        assert score(head_scores, list(each[:, 1] - each[:, 0]))[0] == pytest.approx(expected, abs=1e-6)


def test_the_best_part_counts_for_a_head() -> None:
    """Of a sentence in several windows the highest-scored part decides."""
    found = head_scores(np.float32([0, -5, 2]), np.array([1, 1, 1]), np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(found, [0.5, 1 / (1 + math.exp(-2))], atol=1e-7)


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data())
def test_scores_are_probabilities_and_only_tokenless_sentences_lack_one(rule, data) -> None:
    """Every sentence with a token has a score in [0, 1]; the others have NaN."""
    lengths = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=8))
    flat = np.array(data.draw(st.lists(log_odds, min_size=sum(lengths), max_size=sum(lengths))), dtype=np.float32)
    counts = np.array(lengths)
    owners = np.flatnonzero(counts)
    found = rule(flat, counts[owners], owners, len(counts))
    assert np.isnan(found).tolist() == (counts == 0).tolist()
    assert ((found >= 0) & (found <= 1))[counts > 0].all()


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data())
def test_a_sentence_does_not_depend_on_the_others(rule, data) -> None:
    """Scoring sentences together or one by one is the same."""
    sentences = data.draw(st.lists(sentence, min_size=1, max_size=5))
    alone = [score(rule, tokens)[0] for tokens in sentences]
    np.testing.assert_allclose(score(rule, *sentences), alone, rtol=0, atol=1e-12)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=12).filter(any))
def test_a_sentence_without_a_token_takes_its_neighbours_score(scores) -> None:
    """The score of the one before, else of the first one after."""
    found = fill_missing(np.array([np.nan if x is None else x for x in scores]))
    for index, given_score in enumerate(scores):
        before = [x for x in scores[: index + 1] if x is not None]
        after = [x for x in scores[index:] if x is not None]
        assert found[index] == (before[-1] if before else after[0]), given_score


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1))
def test_probabilities_rise_with_log_odds(values) -> None:
    """No overflow, never outside [0, 1], and never in another order."""
    found = probability(np.sort(np.array(values, dtype=np.float32)))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()

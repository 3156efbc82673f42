"""Each metric against a second, naive implementation."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.evaluate import metrics

documents = st.lists(
    st.tuples(st.integers(0, 8).map(lambda n: n / 8), st.booleans()), min_size=1, max_size=12
)  # few distinct scores, so that ties are common
flags = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12)


def arrays(document: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in document]), np.array([label for _, label in document])


@given(flags)
def test_precision_recall_and_f_agree_with_sets(pairs):
    """P, R and F are what sets of sentences give, in exact fractions."""
    kept = {index for index, (flag, _) in enumerate(pairs) if flag}
    positive = {index for index, (_, label) in enumerate(pairs) if label}
    both = kept & positive
    p = Fraction(len(both), len(kept)) if kept else Fraction(0)
    r = Fraction(len(both), len(positive)) if positive else Fraction(0)
    assert metrics.precision(len(both), len(kept)) == pytest.approx(float(p))
    assert metrics.recall(len(both), len(positive)) == pytest.approx(float(r))
    f1 = 2 * p * r / (p + r) if p + r else Fraction(0)
    f2 = 5 * p * r / (4 * p + r) if 4 * p + r else Fraction(0)
    assert metrics.f_score(float(p), float(r)) == pytest.approx(float(f1))
    assert metrics.f_score(float(p), float(r), beta=2) == pytest.approx(float(f2))
    # F1 as the Dice coefficient of the two sets
    if kept or positive:
        assert float(f1) == pytest.approx(2 * len(both) / (len(kept) + len(positive)))


@given(documents)
def test_average_precision_is_the_sum_over_thresholds(document):
    """Average precision sums, over the thresholds from the top, the recall gained times the precision there."""
    positives = sum(label for _, label in document)
    if not positives:
        return
    total, before = 0.0, 0.0
    for threshold in sorted({score for score, _ in document}, reverse=True):
        kept = [label for score, label in document if score >= threshold]
        now = sum(kept) / positives
        total += (now - before) * sum(kept) / len(kept)
        before = now
    assert metrics.average_precision(*arrays(document)) == pytest.approx(total)


@given(documents, st.randoms())
def test_average_precision_does_not_depend_on_order(document, random):
    """Shuffling the sentences of a document changes nothing, ties included."""
    if not any(label for _, label in document):
        return
    shuffled = list(document)
    random.shuffle(shuffled)
    expected = metrics.average_precision(*arrays(document))
    assert metrics.average_precision(*arrays(shuffled)) == pytest.approx(expected)


@given(documents)
def test_top_one_is_the_label_of_the_first_best_sentence(document):
    """Top-1 looks at the first sentence that has the best score."""
    best = max(score for score, _ in document)
    first = next(label for score, label in document if score == best)
    assert metrics.top_one(*arrays(document)) == float(first)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40), st.integers(1, 20))
def test_calibration_error_bin_by_bin(sentences, bins):
    """ECE is the weighted mean gap between confidence and accuracy over equal bins."""
    total = 0.0
    for which in range(bins):
        mine = [(s, label) for s, label in sentences if min(int(s * bins), bins - 1) == which]
        if mine:
            confidence = math.fsum(s for s, _ in mine) / len(mine)
            accuracy = sum(label for _, label in mine) / len(mine)
            total += len(mine) / len(sentences) * abs(confidence - accuracy)
    scores, labels = arrays(sentences)
    got = metrics.calibration_error(scores.astype(float), labels.astype(bool), bins=bins)
    assert got == pytest.approx(total, abs=1e-9)


@given(st.text("ab ", min_size=1, max_size=20), st.data())
def test_shares_of_text_agree_with_counting_characters(text, data):
    """Kept share, evidence kept and tokens saved are what counting one by one gives."""
    keep = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    left = "".join(character for character, flag in zip(text, keep, strict=True) if flag)
    assert metrics.kept_share(len(left), len(text)) == pytest.approx(sum(keep) / len(keep))
    assert metrics.tokens_saved(len(text), len(left)) == pytest.approx(1 - len(left) / len(text))
    survived = [flag for flag in keep if flag]
    assert metrics.evidence_kept(len(survived), len(keep)) == pytest.approx(np.mean(keep))


def test_nothing_to_share_is_zero():
    """Where there is nothing, a share is 0 and not an error."""
    assert metrics.precision(0, 0) == metrics.recall(0, 0) == metrics.f_score(0, 0) == 0.0
    assert metrics.tokens_saved(0, 0) == metrics.evidence_kept(0, 0) == metrics.kept_share(0, 0) == 0.0
    assert metrics.calibration_error(np.zeros(0), np.zeros(0, dtype=bool)) == 0.0


@given(flags, st.integers(1, 5), st.integers(1, 8))
def test_every_point_of_the_reliability_diagram_has_enough_sentences(pairs, least, bins):
    """The points are of all sentences, few enough, each of at least so many unless there are fewer in all."""
    scores, labels = arrays([(index / len(pairs), label) for index, (_, label) in enumerate(pairs)])
    found = metrics.reliability(scores, labels, bins=bins, least=least)
    assert sum(one.sentences for one in found) == len(pairs)
    assert 1 <= len(found) <= bins
    assert all(one.sentences >= least for one in found) or len(found) == 1
    assert math.isclose(sum(one.right * one.sentences for one in found), labels.sum(), abs_tol=1e-9)
    assert [one.score for one in found] == sorted(one.score for one in found)

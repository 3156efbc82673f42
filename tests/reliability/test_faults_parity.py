"""A score depends on its query and its document: on no company, order, budget, and barely on the precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from slices import part, spread

from secateurs import Compression, Compressor
from secateurs.model.scorer import Scorer

TEXT = "The mill was built by Ann Lee . It burned down twice , and nobody knows why ! What causes tides ?"
WORDS = TEXT.split()
QUERIES = ["Who built the mill?", "What causes tides?", "水车建于何年？", "Why?"]
DATA = Path(__file__).parents[1] / "data"


def mixed_pairs(count: int = 200) -> list[tuple[str, str]]:
    """Return pairs of one word to several windows, every tenth one a duplicate of another."""
    chance = np.random.default_rng(3)
    pairs: list[tuple[str, str]] = []
    for index in range(count):
        if index % 10 == 9:
            pairs.append(pairs[int(chance.integers(0, len(pairs)))])
            continue
        size = int(chance.integers(1, 100))
        pairs.append((QUERIES[index % 4], " ".join(chance.choice(WORDS, size=size)) + f" {index}."))
    return pairs


def numbers(one: Compression) -> list[float]:
    return [*(sentence.score for sentence in one.sentences), one.ranking_score or 0.0]


def same(found: Sequence[Compression], alone: Sequence[Compression]) -> None:
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(numbers(one), numbers(other), rtol=0, atol=1e-5)
        assert [s.kept for s in one.sentences] == [s.kept for s in other.sentences]


@pytest.fixture(scope="module")
def alone(tiny: Compressor) -> list[Compression]:
    """Each pair in a call of its own."""
    return [tiny.compress_pairs([pair])[0] for pair in mixed_pairs()]


@pytest.mark.parametrize("budget", spread([1, 4096, 500], 2))
def test_two_hundred_pairs_score_the_same_in_any_company(
    tiny: Compressor, alone: list[Compression], budget: int
) -> None:
    """Alone, together, sorted, shuffled, twice and in any budget: within 1e-5, and the same decisions."""
    pairs = mixed_pairs()
    order = [int(index) for index in np.random.default_rng(budget).permutation(len(pairs))]
    by_length = sorted(range(len(pairs)), key=lambda index: len(pairs[index][1]))
    other = tiny.counting("o200k_base")
    other._scorer = Scorer(tiny._scorer.model, budget=budget)
    for some in (by_length, [*order, *order[:20]]):
        same(other.compress_pairs([pairs[index] for index in some]), [alone[index] for index in some])


@dataclass
class Difference:
    """How far two runs are apart: sentences, the largest difference of a score, and decisions that flipped."""

    sentences: int = 0
    largest: float = 0.0
    flips: int = 0

    def add(self, one: Compression, other: Compression) -> None:
        for mine, theirs in zip(one.sentences, other.sentences, strict=True):
            self.sentences += 1
            self.largest = max(self.largest, abs(mine.score - theirs.score))
            self.flips += mine.kept != theirs.kept


def compare_precisions(pairs: Sequence[tuple[str, str]]) -> Difference:
    """Score pairs with the bundled model in both precisions, at its own threshold."""
    found = Difference()
    with (
        Compressor.from_pretrained(device="cpu", dtype="float32") as full,
        Compressor.from_pretrained(device="cpu", dtype="bfloat16") as half,
    ):
        for one, other in zip(full.compress_pairs(pairs), half.compress_pairs(pairs), strict=True):
            found.add(one, other)
    return found


@pytest.mark.sliced
def test_half_precision_decides_alike() -> None:
    """In bfloat16 the bundled model's scores are within 0.02 of float32, and at most one decision in 200 flips."""
    texts = [(DATA / name).read_text(encoding="utf-8") for name in ("sacred-deer.txt", "zh-warriors.txt")]
    queries = ["Who wrote The Killing of a Sacred Deer?", "战国无双3是哪一年发行的？", "Where was it filmed?"]
    found = compare_precisions([(query, text) for query in queries[: part(3, 3)] for text in texts])
    assert found.sentences > part(30, 3)
    assert found.largest <= 0.02
    assert found.flips <= 0.005 * found.sentences

"""Documents that compete: what a worse one loses, and what never changes."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import check_laws

from secateurs import Compression, Compressor, Default, Fallback, Policy, Ranked, Threshold, TokenBudget, ToolOutput
from secateurs.adapters.choice import Asked, choose, the_threshold
from secateurs.policy import far_behind, standing
from secateurs.ray.rows import compress_rows
from secateurs.result.span import Sentence

GOLDEN = Path(__file__).parents[1] / "golden"
QUERY = "Who built the mill in Leeds?"
ANSWERS = "The mill in Leeds was built by Ann Lee in 1842. It was grey."
NEAR = "The castle in York was built by Bo Ray in 1900. A mill is a machine. Cake is nice."
FAR = "Cakes are made of flour. Bread is baked at noon. A shop opens at nine."
DOCUMENTS = [FAR, ANSWERS, NEAR]
PROBABILITIES = st.floats(0.0, 1.0)


def kept(results: list[Compression]) -> list[list[bool]]:
    return [[unit.kept for unit in result.sentences] for result in results]


def scores(results: list[Compression]) -> list[list[float]]:
    return [[unit.score for unit in result.sentences] for result in results]


def units(*given: float) -> list[Sentence]:
    return [Sentence(at, at + 1, "x", score, False) for at, score in enumerate(given)]


@pytest.fixture
def compress(bundled: Compressor) -> Callable[..., list[Compression]]:
    """Compress the three documents."""
    return lambda policy, **options: bundled.compress(QUERY, DOCUMENTS, policy=policy, **options)


def test_a_worse_document_must_show_more(compress):
    """The best one is decided as alone, the others keep no more; every score stays the model's."""
    plain, ranked = compress(Threshold(0.02)), compress(Ranked(Threshold(0.02)))
    assert max(plain, key=lambda one: one.ranking_score).original == ANSWERS
    assert scores(ranked) == scores(plain)
    assert kept(ranked)[1] == kept(plain)[1]
    assert kept(plain)[2] == [True, True, False] and kept(ranked)[2] == [True, False, False]
    assert ranked[2].policy == "Ranked(Threshold(0.02), 0.3)"
    for result, document in zip(ranked, DOCUMENTS, strict=True):
        check_laws(result, document)


def test_more_weight_never_keeps_more(compress):
    """0 is the policy inside."""
    found = [kept(compress(Ranked(Threshold(0.001), weight))) for weight in (0, 0.1, 0.3, 1.0, 10)]
    assert found[0] == kept(compress(Threshold(0.001)))
    for more, less in pairwise(found):
        assert all(a >= b for one, other in zip(more, less, strict=True) for a, b in zip(one, other, strict=True))
    assert found[-1] != found[0]


def test_one_document_competes_with_nobody(bundled):
    """Alone, and beside documents of other queries, it keeps what the policy inside keeps."""
    policy = Ranked(Threshold(0.02), 10)
    alone = [bundled.compress(QUERY, [one], policy=policy)[0] for one in DOCUMENTS]
    assert kept(alone) == kept(bundled.compress(QUERY, DOCUMENTS, policy=Threshold(0.02)))
    queries = ["Who built it?", QUERY, "What is nice?"]
    pairs = list(zip(queries, DOCUMENTS, strict=True))
    apart = bundled.compress_pairs(pairs, policy=policy)
    assert kept(apart) == kept(bundled.compress_pairs(pairs, policy=Threshold(0.02)))


def test_a_budget_for_all_documents_is_spent_on_the_better_ones(bundled):
    """What a budget compares is what the policy saw."""
    documents = ["Bo Ray built it.", ANSWERS]
    results = bundled.compress(QUERY, documents, policy=Ranked(Threshold(0.0), 10), max_total_tokens=20)
    assert results[0].text == "" and results[1].text.startswith("The mill in Leeds was built by Ann Lee in 1842.")


def test_a_document_that_fails_disturbs_no_other(bundled):
    """Blank ones and failed ones come back whole; the others compete as without them."""

    def segmenter(text: str) -> list[tuple[int, int]]:
        if text == "bad":
            raise RuntimeError("no fire")
        half = text.find(". ") + 2
        return [(0, half), (half, len(text))] if text.strip() else [(0, len(text))]

    with Compressor(bundled._loaded, segmenter=segmenter) as other:
        policy = Ranked(Threshold(0.02), 1.0)
        some = other.compress(QUERY, ["bad", ANSWERS, " ", NEAR, "bad"], policy=policy)
        assert [one.status for one in some] == ["error", "unchanged", "unchanged", "dropped", "error"]
        assert kept([some[1], some[3]]) == kept(other.compress(QUERY, [ANSWERS, NEAR], policy=policy))


def test_the_best_unit_ranks_where_no_head_does():
    """Documents of a checkpoint without a ranking head compete, too, and a blank one is behind nobody."""
    documents = [FAR, " ", ANSWERS, NEAR]
    with Compressor.from_pretrained(GOLDEN / "opensearch", device="cpu", family="opensearch") as compressor:
        plain = compressor.compress(QUERY, documents, policy=Threshold(0.0))
        assert all(one.ranking_score is None for one in plain)
        best = [max((unit.score for unit in one.sentences), default=0.0) for one in plain]
        first = max((0, 2, 3), key=lambda number: best[number])
        ranked = compressor.compress(QUERY, documents, policy=Ranked(Threshold(min(best[first], 0.999)), 10))
    assert [one.status == "dropped" for one in ranked] == [number not in (1, first) for number in range(4)]


def test_rows_do_not_compete_with_each_other(bundled):
    """Documents of one row do, on Ray as anywhere."""
    policy = Ranked(Threshold(0.02), 10)
    rows = compress_rows(bundled, [QUERY, QUERY], [[NEAR], [ANSWERS, NEAR]], policy)
    assert rows[0]["text"][0].startswith("The castle") and rows[1]["text"][1] == ""


@given(st.lists(PROBABILITIES, min_size=1, max_size=6), st.floats(0.0, 30.0), st.floats(0.0, 10.0), PROBABILITIES)
def test_a_threshold_is_compared_with_lowered_log_odds(given, behind, weight, t):
    """A unit stays iff its log-odds less weight times distance reach the threshold's."""
    flags = standing(Ranked(Threshold(t), weight), behind)(units(*given), len)
    assert len(flags) == len(given)
    for score, flag in zip(given, flags, strict=True):
        if 1e-5 < score < 1 - 1e-5 and 1e-5 < t < 1 - 1e-5:
            margin = math.log(score / (1 - score)) - weight * behind - math.log(t / (1 - t))
            assert flag == (margin >= 0) or abs(margin) < 1e-6
        if flag:
            assert score >= t or math.isclose(score, t, abs_tol=2e-6)


@given(st.lists(st.tuples(st.none() | PROBABILITIES, st.sampled_from("ab")), max_size=8))
def test_somebody_is_the_best_of_each_query(documents):
    """Distances are never negative, and 0 for the best; who has no ranking score is behind nobody."""
    rankings, queries = [one for one, _ in documents], [query for _, query in documents]
    found = far_behind(rankings, queries)
    for query in set(queries):
        its = [far for far, one, of in zip(found, rankings, queries, strict=True) if of == query and one is not None]
        assert not its or min(its) == 0.0
    assert all(far >= 0 and (one is not None or far == 0) for far, one in zip(found, rankings, strict=True))


@pytest.mark.parametrize(
    "policy",
    [
        Ranked(),
        Ranked(Threshold(0.02), 0.5),
        (Ranked(Threshold(0.02)) | Threshold(0.9)) & TokenBudget(200),
        Fallback(Ranked(), "best"),
        ToolOutput(policy=Ranked()),
        Ranked(Ranked(Threshold(0.1)), 1),
    ],
    ids=repr,
)
def test_it_is_written_down_and_travels(policy, bundled):
    """Source and pickle give it back, alone and inside others, and it decides there."""
    assert Policy.parse(repr(policy)) == policy == pickle.loads(pickle.dumps(policy))
    assert hash(policy) == hash(Policy.parse(repr(policy)))
    assert policy == standing(policy, 2.0)  # where a document stands is no part of what was asked for
    for result, document in zip(bundled.compress(QUERY, DOCUMENTS, policy=policy), DOCUMENTS, strict=True):
        check_laws(result, document)


def test_what_stands_inside_another_policy_decides_there(compress):
    """Beside `|` each side sees its own scores."""
    policy = Ranked(Threshold(0.02), 10) | Threshold(0.5)
    assert kept(compress(policy))[2] == [True, False, False]  # .8 by the threshold alone


def test_plain_settings_narrow_it():
    """A threshold takes the place of the one inside."""
    own = Ranked(Threshold(0.02), 0.5)
    assert choose(Asked(threshold=0.3), own) == Ranked(Threshold(0.3), 0.5)
    assert choose(Asked(policy="Ranked(Default())", max_tokens=9), Threshold(0.1)) == (
        Ranked(Threshold(0.1)) & TokenBudget(9)
    )
    assert the_threshold(own) is None
    assert choose(Asked(when_empty="best"), own) == Fallback(own, "best")


@pytest.mark.parametrize(
    ("weight", "kind"),
    [(-0.1, ValueError), (11, ValueError), (math.nan, ValueError), ("1", TypeError), (True, TypeError)],
)
def test_a_wrong_weight_is_refused(weight, kind):
    """What weights there are is said."""
    with pytest.raises(kind, match="weight must be"):
        Ranked(Default(), weight)
    with pytest.raises(TypeError, match="policy must be"):
        Ranked(0.3)

"""What `secateurs evaluate answers` is made of: cases, what each system leaves, prompts, verdicts, metrics."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import make_row, write_rows

from secateurs import Compressor, Threshold
from secateurs.evaluate.answers.cases import Case, Document, read_cases
from secateurs.evaluate.answers.contexts import CONTROLS, Settings, contexts, threshold_for, truncated
from secateurs.evaluate.answers.draft import Draft, draft
from secateurs.evaluate.answers.gather import gather
from secateurs.evaluate.answers.metrics import count, mcnemar, pair, retention_interval
from secateurs.evaluate.answers.outcomes import Outcome, verdict_of
from secateurs.evaluate.answers.prompts import NO_ANSWER, abstains, judge_prompt, prompt_id, reader_prompt
from secateurs.evaluate.records import BadRecordError
from secateurs.result.span import Span

QUERY = "Who built the mill?"


@pytest.fixture(scope="module")
def drafts(tiny: Compressor, tmp_path_factory: pytest.TempPathFactory) -> list[Draft]:
    path = write_rows(tmp_path_factory.mktemp("cases") / "q.jsonl", [make_row(number) for number in range(6)])
    return draft(read_cases([path]), tiny)


class Letters:
    """An encoder: how often each vowel stands in a text."""

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.array([[text.count(letter) + 0.1 for letter in "aeiou"] for text in texts])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    sentences = queries


def test_a_line_is_a_question_with_what_was_retrieved(tmp_path: Path):
    """Documents are texts or objects, or the one context of labelled data; answers and reasons are optional."""
    rows: list[dict[str, Any]] = [
        {"id": 7, "query": QUERY, "documents": ["a", {"text": "bc", "evidence": [[0, 1]]}], "answer": "b"},
        {"query": QUERY, "documents": ["水车"], "unanswerable": True, "query_lang": "en"},
        {"id": "x", "query": QUERY, "context": "abc", "evidence": [], "why": "not said", "lang": "en"},
        {"id": "y", "query": QUERY, "context": "abc", "evidence": [[1, 2]]},
    ]
    first, second, third, fourth = read_cases([write_rows(tmp_path / "q.jsonl", rows)])
    assert (first.id, first.answers, first.evidence, first.labelled) == ("7", ("b",), ["b"], True)
    assert (second.languages, second.unanswerable, second.labelled) == (
        "en query, zh documents",
        "the documents do not say",
        False,
    )
    assert (third.unanswerable, third.evidence) == ("not said", [])
    assert (fourth.unanswerable, fourth.evidence, fourth.id) == ("", ["b"], "y")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"documents": ["a"]}, "line 1: 'query' is missing or blank"),
        ({"Query": QUERY, "documents": ["a"]}, "is 'Query' it?"),
        ({"query": QUERY}, "'documents' is no list, or empty"),
        ({"query": QUERY, "documents": []}, "'documents' is no list, or empty"),
        ({"query": QUERY, "documents": [1]}, r"'documents'\[0\] is none"),
        ({"query": QUERY, "documents": [{"text": "a", "evidence": [[0, 9]]}]}, "expected"),
        ({"query": QUERY, "documents": ["a"], "answers": "b"}, "'answers' is b"),
        ({"query": QUERY, "documents": ["a"], "unanswerable": 3}, "'unanswerable' is 3"),
        ({"query": QUERY, "documents": ["a"], "unanswerable": True, "answer": "a"}, "has an answer and is"),
        ({"id": "x", "query": QUERY, "documents": ["a"], "lang": 1}, "'lang' is 1"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, row: dict[str, Any], says: str):
    """What is wrong is said with file and line."""
    with pytest.raises(BadRecordError, match=says):
        read_cases([write_rows(tmp_path / "q.jsonl", [row])])


def test_an_id_stands_once(tmp_path: Path):
    """Two questions of one id, in one file or two, are refused by both places."""
    paths = [write_rows(tmp_path / f"{name}.jsonl", [make_row(1)]) for name in "ab"]
    with pytest.raises(BadRecordError, match=r"b.jsonl, line 1: the id 'c1' stands at .*a.jsonl, line 1"):
        read_cases(paths)


def _labelled(number: int, text: str, *, evidence: bool = True, source: str = "") -> Case:
    spans = (Span(0, 3),) if evidence else ()
    why = "" if evidence else "no"
    return Case(f"r{number}", text.split()[0] + " what", (Document(text, spans, source),), unanswerable=why)


def test_labelled_data_gets_its_nearest_others(tmp_path: Path):
    """Every case has so many different documents, its own among them; one without an answer none of its source."""
    pytest.importorskip("bm25s", reason="the search needs the extra evaluate")
    texts = [f"{word} is {other}. It is {word}." for word in ("mill", "tide", "moon") for other in ("red", "old")]
    cases = [
        _labelled(number, text, evidence=number % 3 > 0, source=f"s{number % 2}") for number, text in enumerate(texts)
    ]
    found = gather(cases, 4, among=cases, seed=0)
    for before, after in zip(cases, found, strict=True):
        shown = [one.text for one in after.documents]
        assert len(set(shown)) == len(shown) and before.documents[0] in after.documents
        assert [one.evidence is None for one in after.documents].count(False) == 1
        if before.unanswerable:
            own = before.documents[0]
            assert all(one == own or one.source != own.source for one in after.documents)
        else:
            assert len(shown) == 4
    assert found == gather(cases, 4, among=cases, seed=0)
    assert gather(cases, 1, among=cases, seed=0) == cases


def test_ours_is_what_the_compressor_leaves(drafts: list[Draft], tiny: Compressor):
    """At a threshold, and by default, the texts are those of `compress`."""
    for one in drafts:
        texts = [document.text for document in one.case.documents]
        for threshold in (0.3, 0.5, 0.7):
            expected = tiny.compress(one.case.query, texts, policy=Threshold(threshold))
            assert list(one.texts(one.at(threshold))) == [result.text for result in expected]
        assert list(one.texts(one.default())) == [result.text for result in tiny.compress(one.case.query, texts)]


def test_controls_have_as_many_tokens_as_ours(drafts: list[Draft]):
    """Case by case a control is within a unit's length of ours; it is made of the same units."""
    pytest.importorskip("bm25s", reason="the system bm25 needs the extra evaluate")
    wanted = Settings(("full", "pruned", *CONTROLS, "fewer", "re-rank"), {"default": None, "0.7": 0.55})
    for one in drafts:
        found = {(each.system, each.setting): each for each in contexts(one, wanted, Letters())}
        longest = max(map(one.count, (text for texts in one.units() for text in texts)))
        for name in wanted.thresholds:
            ours = sum(map(one.count, found["pruned", name].texts))
            for control in CONTROLS:
                theirs = sum(map(one.count, found[control, name].texts))
                assert abs(theirs - ours) <= longest
        whole = "".join(document.text for document in one.case.documents)
        units = [text.strip() for texts in one.units() for text in texts]
        for control in ("random", "bm25", "embedding"):
            for text in found[control, "0.7"].texts:
                assert not text or any(unit in text for unit in units)
        assert "".join(found["truncated", "0.7"].texts) == whole[: len("".join(found["truncated", "0.7"].texts))]
        assert sum(bool(text) for text in found["re-rank", "top 1"].texts) == 1
        assert found["fewer", "top 2"].texts == (*found["full", ""].texts[:2], "")


def test_the_oracle_is_the_evidence_and_only_where_there_are_labels(tiny: Compressor):
    """The oracle's text holds the evidence; what nobody labelled has none."""
    text = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why."
    cases = [
        Case("a", QUERY, (Document(text, (Span(0, 38),)), Document(text, None))),
        Case("b", QUERY, (Document(text),)),
    ]
    first, second = draft(cases, tiny)
    wanted = Settings(("oracle",), {})
    assert [each.texts for each in contexts(first, wanted)] == [(text[:38], "")]
    assert list(contexts(second, wanted)) == []


def test_a_threshold_saves_about_what_was_asked(drafts: list[Draft]):
    """More savings want a higher threshold, and no other score comes nearer to what was asked."""
    before = sum(sum(one.tokens) for one in drafts)

    def saved(threshold: float) -> float:
        return 1 - sum(one.count(text) for one in drafts for text in one.texts(one.at(threshold))) / before

    scores = sorted({float(f"{score:.4g}") for one in drafts for each in one.scored for score in each.scores})
    found = [threshold_for(drafts, share) for share in (0.2, 0.5, 0.8)]
    assert all(lower <= higher for lower, higher in pairwise(found))
    for share, threshold in zip((0.2, 0.5, 0.8), found, strict=True):
        assert abs(saved(threshold) - share) <= min(abs(saved(score) - share) for score in scores) + 0.02


@settings(max_examples=30)
@given(st.lists(st.text(max_size=30), max_size=4), st.integers(0, 100))
def test_truncation_keeps_the_beginning(texts: list[str], most: int):
    """What is left is a beginning of the documents, of at most so many tokens."""
    left = truncated(texts, most, len)
    assert len(left) == len(texts) and sum(map(len, left)) == min(most, sum(map(len, texts)))
    assert "".join(texts).startswith("".join(left))


def test_prompts_speak_the_language_of_the_query():
    """Chinese questions are asked in Chinese; what is left out is not shown; a lone surrogate does not stop it."""
    system, user = reader_prompt("水车?", ["一", " ", "二\ud800"], lang="zh-Hant")
    assert NO_ANSWER["zh"] in system["content"] and user["content"].endswith("问题：\n水车?")
    assert "[2]\n二\ufffd" in user["content"] and "[3]" not in user["content"]
    assert "(there is no document)" in reader_prompt("a?", [""], lang="fr")[1]["content"]


def test_the_second_judge_sees_the_places_swapped():
    """Both judges see the same texts, the second the answer first; who is asked is part of the id."""
    one, two = (
        judge_prompt("q?", "ref", "ans", lang="en", swapped=swapped)[1]["content"] for swapped in (False, True)
    )
    assert one.index("ref") < one.index("ans") and two.index("ans") < two.index("ref")
    assert sorted(one.split()) == sorted(two.split())
    messages = judge_prompt("q?", "ref", "ans", lang="en", swapped=False)
    assert len({prompt_id(messages), prompt_id(messages, "1"), prompt_id(messages, "2")}) == 3


@pytest.mark.parametrize("said", ["NO ANSWER", "no answer.", "“没有答案。”", " **No answer** ", "没有答案"])
def test_the_agreed_words_are_no_answer(said: str):
    """Letter case, stops and marks around them do not matter."""
    assert abstains(said)
    assert not abstains(f"{said} But it may be 1842.")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ('{"reasoning": "x", "verdict": "right"}', "right"),
        ('```json\n{"reasoning": "x", "verdict": "no answer"}\n```', "no answer"),
        ('<think>wrong?</think>{"verdict": "right"}', "right"),
        ("Wrong.", "wrong"),
        ("The verdict is right.", None),
        ("right or wrong", None),
        ('{"verdict": "perhaps"}', None),
        ('{"verdict": true}', None),
        ('{"verdict": "right", "verdict": "wrong"}', None),
        ('[{"verdict": "right"}]', None),
        ("<think>right", None),
        ('{"verdict": "right"', None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_a_verdict_is_read_or_not_at_all(said: str, verdict: str | None):
    """The object that was asked for, or the bare word; prose is no verdict."""
    assert verdict_of(said) == verdict


def test_mcnemar_is_the_binomial_test():
    """Against the sum over all splits that are no likelier."""
    for lost in range(8):
        for gained in range(8):
            n = lost + gained
            likely = [comb(n, k) / 2**n for k in range(n + 1)]
            naive = sum(one for one in likely if one <= likely[lost] + 1e-12)
            assert mcnemar(lost, gained) == pytest.approx(naive)


def test_retention_counts_pairs_that_are_known():
    """Against lists; what is not known on either side is left out, and the interval holds the value."""
    rng = random.Random(3)
    given_ = [(rng.choice(list(Outcome)), rng.choice(list(Outcome))) for _ in range(300)]
    known, unknown = pair(given_)
    assert len(known) + unknown == 300
    counts = count(known)
    both = sum(a is b is Outcome.right for a, b in given_)
    lost = sum(a is Outcome.right and b in (Outcome.wrong, Outcome.abstained) for a, b in given_)
    assert (counts.both, counts.lost) == (both, lost)
    interval = retention_interval(known, 200, 0)
    assert interval is not None and interval.low < both / (both + lost) < interval.high
    assert interval == retention_interval(known, 200, 0)
    assert retention_interval([], 200, 0) is None and retention_interval([(False, True)], 200, 0) is None
    assert json.dumps(interval)

"""Highlights: whole words inside one sentence, where single tokens score enough, in any text and for every family."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import time
import unicodedata
import weakref
from dataclasses import asdict, fields
from typing import get_type_hints

import numpy as np
import pytest
from checkpoints.reference import FOLDERS, GOLDEN, family_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_compressor import any_text, some_query

from secateurs import Compression, Compressor, Policy, Threshold, TokenBudget, TopK
from secateurs.pipeline.cache import ScoreCache
from secateurs.result.span import Highlight
from secateurs.result.token_scores import Offsets, TokenScores
from secateurs.windows.aggregate import mean_scores

DOCUMENT = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. 水车建于1842年。 "
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


class Places:
    """Knows where tokens stand, and counts how often it is asked."""

    def __init__(self, *places: tuple[int, int]) -> None:
        self.asked = 0
        starts, ends = zip(*places, strict=True) if places else ((), ())
        self._offsets = Offsets(np.array(starts, dtype=np.int32), np.array(ends, dtype=np.int32))

    def __call__(self, original, ends, lengths) -> Offsets:
        self.asked += 1
        return self._offsets


def log_odds(scores) -> np.ndarray:
    """Log-odds of probabilities."""
    probabilities = np.clip(np.array(scores, dtype=np.float64), 1e-9, 1 - 1e-9)
    return np.log(probabilities / (1 - probabilities)).astype(np.float32)


def scored(text: str, tokens: list[tuple[str, float]], *, ends: tuple[int, ...] = ()) -> TokenScores:
    """Token scores of a text whose tokens are found one after another."""
    places, at = [], 0
    for token, _ in tokens:
        at = text.index(token, at)
        places.append((at, at + len(token)))
        at += len(token)
    borders = np.array([*ends, len(text)])
    owners = np.searchsorted(borders, [start for start, _ in places], side="right")
    lengths = np.bincount(owners, minlength=len(borders))
    return TokenScores(text, borders, lengths, log_odds([score for _, score in tokens]), Places(*places))


def check(result, least: float) -> tuple[Highlight, ...]:
    """Every law of the highlights of a result; returns them."""
    highlights = result.highlights(least)
    at = 0
    for one in highlights:
        assert at <= one.start < one.end
        assert result.original[one.start : one.end] == one.text == one.text.strip()
        assert any(char.isalnum() for char in one.text)
        assert least <= one.score <= 1.0
        assert type(one.score) is float
        home = [s for s in result.sentences if s.start <= one.start < s.end]
        assert one.end <= home[0].end
        at = one.end
    return highlights


def covered(highlights) -> set[int]:
    return {place for one in highlights for place in range(one.start, one.end)}


@relaxed
@given(query=some_query, document=any_text, low=st.floats(0, 1), high=st.floats(0, 1))
def test_laws_hold_for_any_text(tiny, query, document, low, high):
    """Highlights are disjoint, in order, whole words of one sentence; a lower score never covers less."""
    low, high = sorted((low, high))
    result = tiny.compress(query, [document])[0]
    assert covered(check(result, high)) <= covered(check(result, low))


@relaxed
@given(document=any_text, least=st.floats(0, 1))
def test_what_scores_enough_is_covered_and_nothing_without_it(tiny, document, least):
    """Each letter or digit of a token that scores enough is highlighted; each highlight holds such a token."""
    result = tiny.compress("who built the mill?", [document])[0]
    highlights = check(result, least)
    tokens, places = result.token_scores, covered(highlights)
    chosen = tokens.probabilities >= least
    starts, ends = tokens.offsets.starts[chosen].tolist(), tokens.offsets.ends[chosen].tolist()
    for start, end in zip(starts, ends, strict=True):
        assert {at for at in range(start, end) if document[at].isalnum()} <= places
    for one in highlights:
        assert any(start < one.end and end > one.start for start, end in zip(starts, ends, strict=True))
        assert one.score <= tokens.probabilities.max()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_familys_tokens_are_found_where_they_stand(folder):
    """Each token's place holds its own characters, whatever the family puts between sentences; or there is none."""
    compressor = Compressor.from_pretrained(GOLDEN / folder, family=family_of(folder), device="cpu")
    documents = ["  " + DOCUMENT * 3, "\n" + DOCUMENT.replace(" ", "\n\n ")]
    for result in compressor.compress("Who built the mill?", documents, policy=Threshold(0.0)):
        if folder == "opensearch":
            assert result.highlights(0.0) is None
            continue
        tokens = result.token_scores
        ids = compressor._loaded.encode_sentences([s.text for s in result.sentences]).ids.tolist()
        pieces = [compressor._loaded.tokenizer._tokenizer.id_to_token(one) for one in ids]
        assert len(pieces) == len(tokens)
        for piece, start, end in zip(
            pieces, tokens.offsets.starts.tolist(), tokens.offsets.ends.tolist(), strict=True
        ):
            said, found = plain(piece), plain(result.original[start:end])
            bare = piece.translate(dict.fromkeys(map(ord, "▁ĠĊ")))  # the rest may be bytes that look like letters
            assert said in found or not bare.isascii() or piece.startswith(("<", "[")), (piece, found)
        assert [one.text for one in check(result, 0.0)] == [s.text.strip() for s in result.sentences]


def plain(text: str) -> str:
    """A token or a text without its tokenizer's marks for white space."""
    text = "".join(" " if char in "▁ĠĊ" else char for char in text.removeprefix("##"))
    return unicodedata.normalize("NFKC", text).strip().lower()


@pytest.mark.parametrize(
    "document", [DOCUMENT * 12, "mill " * 200 + "burned.", "Moon </s><pad> causes [SEP] tides. " * 9]
)
def test_tokens_belong_to_their_sentences_in_long_documents(tiny, document):
    """Over many windows, in sentences scored in parts, beside forged control tokens, tokens stay in their place."""
    result = tiny.compress("Who built the mill?", [document], policy=Threshold(0.0))[0]
    tokens = result.token_scores
    lengths = tiny._loaded.encode_sentences([s.text for s in result.sentences]).lengths
    first = 0
    for sentence, length in zip(result.sentences, lengths.tolist(), strict=True):
        mine = slice(first, first + length)
        parts = [min(32, length - at) for at in range(0, length, 32)]  # half of the tiny window
        logits = log_odds(tokens.probabilities[mine])
        again = mean_scores(logits, np.array(parts), np.zeros(len(parts), dtype=np.int64), 1)[0]
        assert again == pytest.approx(sentence.score, abs=1e-5)
        assert (tokens.offsets.starts[mine] >= sentence.start).all()
        assert (tokens.offsets.ends[mine] <= sentence.end).all()
        first += length
    assert first == len(tokens)


CASES = [
    ("A mill burned.", [("mi", 0.9), ("ll", 0.1)], ["mill"]),  # half a word is a word
    ("A mill burned.", [("A", 0.1), ("mill", 0.9), ("burned", 0.8), (".", 0.1)], ["mill burned"]),
    ("A mill burned.", [(" mill ", 0.9), ("burned", 0.1)], ["mill"]),  # white space is trimmed
    ("They don't.", [("don", 0.1), ("'", 0.1), ("t", 0.9)], ["don't"]),
    ("It cost 1,000.50 then.", [("1", 0.1), (",", 0.1), ("000", 0.9)], ["1,000.50"]),
    ("the cafe\u0301s there", [("cafe", 0.9), ("\u0301", 0.1), ("s", 0.1)], ["cafe\u0301s"]),
    ("नमस्ते दुनिया", [("नम", 0.9), ("स्ते", 0.1)], ["नमस्ते"]),
    ("水车建于1842年", [("水", 0.1), ("车", 0.9), ("建", 0.1)], ["车"]),  # no spaces, so no words but the tokenizer's
    ("ใจดีมาก", [("ใจ", 0.9), ("ดี", 0.1)], ["ใจ"]),
    ("ok 👩\u200d👧 ok", [("ok", 0.9), ("👩", 0.9), ("\u200d", 0.1), ("👧", 0.1)], ["ok 👩\u200d👧"]),
    ("One. Two", [("One", 0.1), (".", 0.9), (" ", 0.9)], []),  # a mark alone says nothing
    ("A mill", [("A", 0.1), ("mill", 0.1)], []),
    ("a-b", [("a", 0.9), ("-", 0.1), ("b", 0.9)], ["a", "b"]),
    ("call my_name _", [("my", 0.9), ("_", 0.1), ("name", 0.1), ("_", 0.9)], ["my_name"]),
]


@pytest.mark.parametrize(
    ("text", "tokens", "expected"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_highlights_are_whole_words(text, tokens, expected):
    """A word, a number or a sign of which a piece scores enough is highlighted whole, its marks and joiners too."""
    assert [one.text for one in scored(text, tokens).highlights(0.5)] == expected


def test_pieces_of_one_character_are_one_highlight():
    """Where a character has several tokens, as bytes do, they count together and it comes once."""
    tokens = TokenScores(
        "🦌", np.array([1]), np.array([3]), log_odds([0.9, 0.1, 0.6]), Places((0, 1), (0, 1), (0, 1))
    )
    assert tokens.highlights(0.5) == ()  # no word
    tokens = TokenScores(
        "鹿", np.array([1]), np.array([3]), log_odds([0.9, 0.1, 0.6]), Places((0, 1), (0, 1), (0, 1))
    )
    assert [(one.text, round(one.score, 4)) for one in tokens.highlights(0.5)] == [("鹿", 0.75)]


def test_highlights_end_with_their_sentence():
    """Neighbours in two sentences stay two, even with nothing between them, and no word crosses the border."""
    assert [one.text for one in scored("甲。乙。", [("甲。", 0.9), ("乙。", 0.9)], ends=(2,)).highlights(0.5)] == [
        "甲。",
        "乙。",
    ]
    assert [
        one.text for one in scored("millwright", [("mill", 0.9), ("wright", 0.1)], ends=(4,)).highlights(0.5)
    ] == ["mill"]


def test_the_least_score_is_inclusive():
    """A token that scores exactly as much is highlighted."""
    tokens = TokenScores("mill", np.array([4]), np.array([1]), np.float32([0.0]), Places((0, 4)))
    assert tokens.highlights(0.5) == (Highlight(0, 4, "mill", 0.5),)
    assert tokens.highlights(0.5000001) == ()


def test_blank_and_failed_documents(tiny_folder):
    """Nothing to read has no highlight; a document that failed has no token scores to ask."""

    def segmenter(text):
        if "bad" in text:
            raise RuntimeError("cannot split this")
        return [(0, len(text))] if text else []

    compressor = Compressor.from_pretrained(tiny_folder, segmenter=segmenter, device="cpu")
    empty, blank, failed = compressor.compress("who?", ["", " \n", "bad"])
    assert empty.highlights(0.0) == blank.highlights(0.0) == ()
    assert failed.highlights(0.0) is None


@pytest.mark.parametrize(
    ("least", "error"),
    [(1.1, ValueError), (-0.1, ValueError), (float("nan"), ValueError), ("0.5", TypeError), (True, TypeError)],
)
def test_the_least_score_is_a_probability(tiny, least, error):
    """Anything else is refused by name."""
    with pytest.raises(error, match="min_score must be"):
        tiny.compress("who?", ["The mill."])[0].highlights(least)


def test_nobody_pays_for_places_who_does_not_ask(tiny):
    """Compressing finds no token's place; the first call for highlights does, once."""
    result = tiny.compress("who?", [DOCUMENT])[0]
    assert "offsets" not in vars(result.token_scores)
    places = Places((0, 4))
    tokens = TokenScores("mill", np.array([4]), np.array([1]), log_odds([0.9]), places)
    assert places.asked == 0
    assert tokens.highlights(0.5) == tokens.highlights(0.4) == tokens.highlights(0.3)
    assert places.asked == 1


def test_results_say_what_decided(tiny):
    """A result names its policy as `Policy.parse` reads it, and the budget that was spent over all documents."""
    policy = (Threshold(0.4) | TopK(1)) & TokenBudget(200)
    result = tiny.compress("who?", [DOCUMENT], policy=policy)[0]
    assert Policy.parse(result.policy) == policy
    assert tiny.compress("who?", [DOCUMENT])[0].policy == repr(tiny.policy)
    spent = tiny.compress("who?", [DOCUMENT, " "], policy=Threshold(0.4), max_total_tokens=9)
    assert [one.policy for one in spent] == ["Threshold(0.4), max_total_tokens=9", None]
    failed = tiny.compress("who?", [DOCUMENT], policy=lambda sentences, count: [True])[0]
    assert (failed.status, failed.policy) == ("error", None)


def test_token_scores_are_no_part_of_what_a_result_says(tiny):
    """They show in neither equality, repr, to_dict, asdict nor the type hints."""
    result, other = tiny.compress("who?", [DOCUMENT])[0], tiny.compress("who built it, and when?", [DOCUMENT])[0]
    assert result == tiny.compress("who?", [DOCUMENT])[0] == result.with_token_scores(other.token_scores)
    assert "token_scores" not in repr(result)
    assert "token_scores" not in result.to_dict()
    assert set(json.loads(json.dumps(asdict(result)))) == {one.name for one in fields(Compression)}
    assert "token_scores" not in asdict(result)
    assert get_type_hints(Compression)["text"] is str
    assert result.token_scores is not other.token_scores


def test_results_pickle_and_copy_with_their_highlights(tiny):
    """A pickled result knows its highlights without a tokenizer; a copy shares them."""
    result = tiny.compress("who?", [DOCUMENT])[0]
    data = pickle.dumps(result)
    assert len(data) < 40 * len(result.original) + 2000
    clone = pickle.loads(data)
    assert clone == result
    assert clone.highlights(0.4) == result.highlights(0.4)
    assert copy.deepcopy(result) == copy.copy(result) == result
    assert copy.deepcopy(result).token_scores is copy.copy(result).token_scores is result.token_scores
    assert copy.copy(result.token_scores) is result.token_scores


def test_a_result_keeps_no_weights_alive(tiny_folder):
    """After close() a result still highlights, and the model is gone."""
    compressor = Compressor.from_pretrained(tiny_folder, device="cpu")
    result = compressor.compress("who?", [DOCUMENT])[0]
    model = weakref.ref(compressor._loaded.model)
    compressor.close()
    del compressor
    gc.collect()
    assert model() is None
    assert result.highlights(0.0)


def test_remembered_documents_have_their_highlights(tiny_folder):
    """A document from the score cache highlights as it did when it was scored."""
    compressor = Compressor.from_pretrained(tiny_folder, device="cpu")
    compressor.cache = ScoreCache()
    first, again = (compressor.compress("who?", [DOCUMENT])[0] for _ in range(2))
    assert compressor.cache.hits == 1
    assert again.highlights(0.45) == first.highlights(0.45)


def test_a_hundred_thousand_tokens_take_milliseconds():
    """Marking, merging and cutting out are done on arrays: far below 50 ms for 100,000 tokens."""
    words = 100_000
    text = "mill " * words
    ends = np.arange(20, words + 1, 20) * 5
    places = Places(*((at * 5, at * 5 + 4) for at in range(words)))
    likely = np.repeat(np.random.default_rng(0).random(words // 50) < 0.2, 50)  # runs, as a model's are
    tokens = TokenScores(text, ends, np.full(len(ends), 20), log_odds(np.where(likely, 0.9, 0.1)), places)
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        found = tokens.highlights(0.5)
        best = min(best, time.process_time() - start)
    assert len(found) > 1000
    assert best < 0.04, f"{best * 1000:.0f} ms"

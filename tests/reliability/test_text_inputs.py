"""Nothing, too little, the wrong type, half a character, a wrong number: each has a result or a named error."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import check_laws
from slices import spread
from texts import EMPTY, QUERY, SURROGATES, TEXT
from tiny import SPECIAL, tiny_checkpoint
from tokenizers import Tokenizer, models, pre_tokenizers

from secateurs import Compressor, Neighbours, Policy, Threshold, TokenBudget, TopK
from secateurs.segment import segment

WRONG = [None, 7, 1.5, b"bytes", bytearray(b"x"), ["a"], ("a",), {"a": 1}, object(), float("nan"), True]


def named(value: object) -> str:
    """A value without its address, which is another in each process."""
    return re.sub(r" at 0x\w+", "", repr(value))


@pytest.mark.parametrize("document", EMPTY, ids=ascii)
def test_next_to_nothing_is_a_document(layout, document):
    """A document of no, one or only blank characters comes back by the laws, in every layout."""
    for threshold in (0.0, 0.5, 1.0):
        result = layout.compress(QUERY, [document], policy=Threshold(threshold))[0]
        check_laws(result, document, threshold)
        assert result.status != "error"
        assert (result.reason == "blank") == (not document.strip())


@pytest.mark.parametrize("query", [one for one in EMPTY if one.strip()], ids=ascii)
def test_next_to_nothing_is_a_query(layout, query):
    """A query of one character, even one without a token, gets scores by the laws."""
    result = layout.compress(query, [TEXT], policy=Threshold(0.0))[0]
    check_laws(result, TEXT, 0.0)
    assert result.status == "unchanged"


@pytest.mark.parametrize("query", [one for one in EMPTY if not one.strip()], ids=ascii)
def test_a_blank_query_is_a_value_error(tiny, query):
    """A query of white space alone, of whatever kind, is refused before anything is read."""
    with pytest.raises(ValueError, match="query is blank"):
        tiny.compress(query, [TEXT])
    with pytest.raises(ValueError, match=r"the query of pairs\[1\] is blank"):
        tiny.compress_pairs([("who?", TEXT), (query, TEXT)])


@pytest.mark.parametrize("wrong", WRONG, ids=named)
async def test_wrong_types_are_named_with_their_place(tiny, wrong):
    """Whatever is no string is a TypeError that says which one it is, from every door."""
    with pytest.raises(TypeError, match=r"documents\[2\] must be a string"):
        tiny.compress(QUERY, [TEXT, "", wrong])
    with pytest.raises(TypeError, match=r"documents\[0\] must be a string"):
        await tiny.acompress(QUERY, [wrong])
    with pytest.raises(TypeError, match="query must be a string"):
        tiny.compress(wrong, [TEXT])
    with pytest.raises(TypeError, match=r"the document of pairs\[1\] must be a string"):
        tiny.compress_pairs([("q", "d"), ("q", wrong)])
    with pytest.raises(TypeError, match=r"the query of pairs\[1\] must be a string"):
        await tiny.acompress_pairs([("q", "d"), (wrong, "d")])


@pytest.mark.parametrize(
    "wrong", [None, 7, "text", b"bytes", {"a": "b"}, {"a"}, iter(["a"]), np.array(["a"])], ids=named
)
def test_what_is_no_list_of_documents_is_refused(tiny, wrong):
    """One document, a set, an iterator or an array in place of a list is a TypeError, not read as another thing."""
    with pytest.raises(TypeError, match="documents must be a list of strings"):
        tiny.compress(QUERY, wrong)
    with pytest.raises(TypeError, match="pairs"):
        tiny.compress_pairs([wrong])


def test_no_documents_have_no_results(layout):
    """Nothing in, nothing out; sync, and as pairs."""
    assert layout.compress(QUERY, []) == layout.compress(QUERY, ()) == layout.compress_pairs([]) == []


@pytest.mark.parametrize("bad", SURROGATES, ids=ascii)
@pytest.mark.parametrize("place", spread([17, 0, 32], 3))
def test_one_document_with_half_a_character_changes_no_other(layout, bad, place):
    """Among 32 sound documents one with lone surrogates is scored, and the others are what they are without it."""
    good = [f"{TEXT} Part {number} burned. {'So it was. ' * (number % 5)}" for number in range(32)]
    clean = layout.compress(QUERY, good, policy=Threshold(0.5))
    mixed = layout.compress(QUERY, [*good[:place], bad, *good[place:]], policy=Threshold(0.5))
    check_laws(mixed[place], bad, 0.5)
    assert mixed[place].status != "error"
    for one, other in zip(clean, mixed[:place] + mixed[place + 1 :], strict=True):
        assert (one.text, one.spans, one.status, one.savings) == (
            other.text,
            other.spans,
            other.status,
            other.savings,
        )
        assert np.allclose([s.score for s in one.sentences], [s.score for s in other.sentences], atol=1e-5)


def test_a_query_with_half_a_character_is_read(layout):
    """A lone surrogate in a query counts as U+FFFD, and as nothing else."""
    odd, even = (layout.compress(f"Who {c} built it?", [TEXT])[0] for c in ("\ud800", "\ufffd"))
    assert [s.score for s in odd.sentences] == [s.score for s in even.sentences]


def _knows_little() -> Tokenizer:
    """A tokenizer that raises on most letters: its unknown token is known to nobody but its added tokens."""
    words = ["▁", *"abcdehilmnorstuwy?.▁", *"\U0010fffdꙮ\U00012000"]  # the last three are tried when it is loaded
    model = models.Unigram([(word, -1.0) for word in dict.fromkeys([*SPECIAL, *words])], unk_id=None)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def test_a_query_that_cannot_be_tokenized_fails_its_own_documents_alone(tmp_path):
    """Where the tokenizer fails on a query, its documents come back whole as errors, and no others."""
    with Compressor.from_pretrained(tiny_checkpoint(tmp_path, tokenizer=_knows_little()), device="cpu") as compressor:
        pairs = [("who?", "the mill. "), ("Ö?", "the mill. "), ("Ö?", " "), ("who?", "ÖÖ. "), ("who?", "it burned. ")]
        pairs[4] = ("who?", "it is on. ")
        results = compressor.compress_pairs(pairs, policy=Threshold(0.0))
        assert [one.status for one in results] == ["unchanged", "error", "unchanged", "error", "unchanged"]
        assert results[2].reason == "blank"  # nobody needed the query
        for result, (_, document) in zip(results, pairs, strict=True):
            check_laws(result, document)
        assert [one.status for one in compressor.compress("Ö?", ["the mill. ", "it is. "])] == ["error", "error"]


def test_closing_while_a_document_is_read_is_no_error_of_the_document(tiny_folder):
    """Who closes a compressor in the middle of a call gets an error that says so, never documents called faulty."""

    def closes(text: str) -> Any:
        compressor.close()
        return segment(text)

    compressor = Compressor.from_pretrained(tiny_folder, device="cpu", segmenter=closes)
    with pytest.raises(RuntimeError, match="was closed while it was used"):
        compressor.compress(QUERY, [TEXT, "It rained."])
    with pytest.raises(RuntimeError, match="is closed"):
        compressor.compress(QUERY, [TEXT])


NUMBERS = [float("nan"), float("inf"), -float("inf"), -0.1, 1.1, 2, -1, 10**400, -(10**400), 1e308]
NO_NUMBERS = ["0.5", "", True, False, None, [0.5], b"1", 0.5 + 0j, object()]


@pytest.mark.parametrize("value", NUMBERS, ids=lambda v: str(v)[:9])
def test_numbers_that_are_no_probability_are_value_errors(value):
    """A threshold outside [0, 1], not a number or too large for a float is a ValueError of one short line."""
    for make in (Threshold, lambda v: Threshold(v, "best")):
        with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]") as caught:
            make(value)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", NO_NUMBERS, ids=named)
def test_what_is_no_number_is_a_type_error(value):
    """A string, a bool or nothing is no threshold and no count."""
    for make in (Threshold, TopK, TokenBudget, Neighbours):
        with pytest.raises(TypeError, match="must be a"):
            make(value)


@pytest.mark.parametrize("make", [TopK, TokenBudget, Neighbours])
@pytest.mark.parametrize("value", [-1, -(10**400), 2**63, 10**400, 10**5000], ids=lambda v: f"{v.bit_length()} bits")
def test_counts_that_nothing_has_are_value_errors(make, value):
    """A count below its least, or that no machine counts to, is a ValueError; what passes can be written and read."""
    with pytest.raises(ValueError, match=r"must be at (least|most)"):
        make(value)
    assert Policy.parse(repr(make(2**63 - 1))) == make(2**63 - 1)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e300, 1e18, 10**400])
async def test_times_that_no_clock_has_are_value_errors(tiny, value):
    """A timeout that is not positive, or overflows the clock, is a ValueError before anything runs."""
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds"):
        tiny.compress(QUERY, [TEXT], timeout=value)
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds"):
        await tiny.acompress(QUERY, [TEXT], timeout=value)


SOURCES = [
    *("", " ", "\ud800", "\x00", "(" * 500, "[" * 5000, "-" * 200_000 + "1", "TopK(" + "-" * 50_000 + "1)"),
    *("Threshold(" + "9" * 5000 + ")", "Threshold(0.5) | " * 3000 + "TopK(1)", "Threshold(t=0.5, t=0.1)"),
    *("Threshold(0.5, *x)", "TopK(10 ** 9)", "TopK(f(1))", "Threshold(1)(1)", "__import__('os')", "f'{1}'", "x.y"),
    *("TopK(1) | TokenBudget(1)", "Threshold(nan)", "Threshold('0.5')", "TopK(1,)|", "lambda: 1", "Threshold"),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: ascii(s[:20]))
def test_what_is_no_policy_is_a_short_value_error(source):
    """Any text that is no policy, however deep or long, is a ValueError of one short line; nothing is run."""
    with pytest.raises(ValueError, match=r".") as caught:
        Policy.parse(source)
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) < 1000


@given(st.text(st.characters(codec=None, categories=None)) | st.text("ThresoldpK()|&0.15,=-*'[ \n", max_size=60))
def test_any_text_is_a_policy_or_a_value_error(source):
    """Whatever is read as a policy, nothing but a ValueError comes of what is none."""
    try:
        policy = Policy.parse(source)
    except ValueError:
        return
    assert Policy.parse(repr(policy)) == policy


def test_a_higher_threshold_never_keeps_more(layout):
    """Over a ladder of thresholds with both ends, kept sentences only go; 0 keeps all, and no threshold is beaten."""
    document = TEXT + " It was rebuilt. 它烧毁过两次。 Nobody came! Who knows? The sea was calm."
    ladder = sorted({0.0, 1.0, *np.linspace(0, 1, 21).tolist(), math.nextafter(0, 1), math.nextafter(1, 0)})
    results = [layout.compress(QUERY, [document], policy=Threshold(t))[0] for t in ladder]
    scores = {s.start: s.score for s in results[0].sentences}
    assert results[0].reason == "nothing_cut"
    before = set(scores)
    for threshold, result in zip(ladder, results, strict=True):
        check_laws(result, document, threshold)
        if result.status in ("compressed", "dropped"):
            kept = {s.start for s in result.kept}
            assert kept <= before
            assert kept == {start for start, score in scores.items() if score >= threshold}
            before = kept

"""The LLM-token count at every threshold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs import Compression, Savings, Sentence, Threshold
from secateurs.result.savings import TokenCounter
from secateurs.serve.steps import after_by_threshold

COUNTERS = {name: TokenCounter(name) for name in ("o200k_base", "cl100k_base", "o200k_harmony")}

# What the encodings' expressions tell apart: letters with and without case, marks, digits, contractions, white space.
PIECES = st.sampled_from(
    [
        *"aBzZ'sdt .,;:!?\n\r\t/09-_(\"。，水车々ßאǅ١…🙂é\u0301\u00a0\u3000\u2028\u200b\x1c",
        *("'re", "'LL", "  ", "\r\n", "the", "It is", "1842", "e\u0301", "，水车"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, min_size=1, max_size=8).map("".join), st.text(min_size=1, max_size=12))
DOCUMENTS = st.lists(st.tuples(TEXTS, st.integers(0, 5)), min_size=1, max_size=8)


def result(parts: list[tuple[str, float]], count: TokenCounter) -> Compression:
    """A result as the compressor makes it, everything kept."""
    sentences, at = [], 0
    for text, score in parts:
        sentences.append(Sentence(at, at + len(text), text, score, kept=True))
        at += len(text)
    original = "".join(text for text, _ in parts)
    before = count(original)
    savings = Savings(before, before, count.encoding)
    return Compression(original, original, tuple(sentences), savings, "unchanged", "nothing_cut")


def from_the_start(whole: Compression, count: TokenCounter) -> list[tuple[float, int]]:
    """The same counts, each made of the whole kept text."""
    scores = sorted({sentence.score for sentence in whole.sentences})
    kept = ["".join(s.text for s in whole.sentences if s.score >= score) for score in scores]
    return [(score, min(whole.savings.before, count(text))) for score, text in zip(scores, kept, strict=True)]


@pytest.mark.parametrize("encoding", COUNTERS)
@settings(max_examples=300, deadline=None)
@given(parts=DOCUMENTS)
def test_counts_in_parts_are_counts_of_the_whole(encoding, parts):
    """However sentences begin and end, every step is what tiktoken counts for the text that is kept there."""
    whole = result([(text, score / 5) for text, score in parts], COUNTERS[encoding])
    assert after_by_threshold(whole, COUNTERS[encoding]) == from_the_start(whole, COUNTERS[encoding])


def test_steps_are_what_the_compressor_saves(tiny):
    """At every score the step is the count the compressor itself gives for that threshold."""
    document = (
        "Ann Lee built it in 1842. It burned down. Who knows why? 水车建于1842年。它烧毁过两次。\n- one\n- two\n"
    )
    whole = tiny.compress("Who built it?", [document], policy=Threshold(0.0))[0]
    steps = after_by_threshold(whole, TokenCounter())
    assert len(steps) == len({sentence.score for sentence in whole.sentences})
    for step in steps:
        policy = Threshold(step.threshold)
        assert step.after == tiny.compress("Who built it?", [document], policy=policy)[0].savings.after


def test_what_no_threshold_changes_has_no_steps(tiny):
    """A blank document and one that failed stay as they are, whatever the threshold."""
    failed = Compression("a b", "a b", (Sentence(0, 3, "a b", 0.0, True),), Savings(2, 2), "error", "error: x")
    for one in (*tiny.compress("Who?", ["", " \n"]), failed):
        assert after_by_threshold(one, TokenCounter()) == []


def test_a_long_document_is_not_counted_again_for_every_sentence():
    """The characters counted grow with the document, not with its square; symbols without end stop early."""
    read = 0

    def count(text: str) -> int:
        nonlocal read
        read += len(text)
        return 1 + len(text) // 4

    def steps(text: str, size: int) -> int:
        nonlocal read
        parts = [(text, index / size) for index in range(size)]
        whole = result(parts, count_all)
        read = 0
        return len(after_by_threshold(whole, count))

    count_all = TokenCounter()
    assert steps("It rained all day long, and nobody knows why. ", 4_000) == 4_000
    assert read < 10 * 4_000 * 46
    assert steps("({[<", 4_000) < 4_000
    assert read < 100 * 4_000 * 4

"""What a document becomes at every threshold, and what it costs there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slices import tries
from structured import ALL

from secateurs import Compression, Compressor, Savings, Sentence, Threshold
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.segment.units import Unit
from secateurs.serve.steps import Thresholds, at_every_threshold, parts_of

COUNTERS = {name: TokenCounter(name) for name in ("o200k_base", "cl100k_base", "o200k_harmony")}

# What the encodings' expressions tell apart: letters with and without case, marks, digits, contractions, white space.
PIECES = st.sampled_from(
    [
        *"aBzZ'sdt .,;:!?\n\r\t/09-_(\"。，水车々ßאǅ١…🙂é\u0301\u00a0\u3000\u2028\u200b\x1c>",
        *("'re", "'LL", "  ", "\r\n", "the", "It is", "1842", "e\u0301", "，水车", "\n\n", "\n> "),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, min_size=1, max_size=8).map("".join), st.text(min_size=1, max_size=12))
DOCUMENTS = st.lists(st.tuples(TEXTS, st.integers(0, 5)), min_size=1, max_size=8)
KINDS = st.sampled_from(["prose", "heading", "item", "row", "code", "member", "markup", "mark", "bracket", "tag"])
FRAMES = st.lists(st.tuples(KINDS, st.sets(st.integers(0, 7), max_size=3), st.integers(0, 8)), min_size=8, max_size=8)


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


def framed(whole: Compression, frames: list, elision: str | None) -> Compression:
    """The same, its units of many kinds, needing each other at random."""
    units = []
    for sentence, (kind, needs, until) in zip(whole.sentences, frames, strict=False):
        many = len(whole.sentences)
        body = sentence.text.rstrip()
        comma = sentence.start + len(body) - 1 if body.endswith(",") and kind in ("member", "bracket") else None
        needed = tuple(index for index in needs if index < many)
        units.append(Unit(sentence.start, sentence.end, kind, needed, comma, min(until, many - 1)))
    scored = [
        Sentence(s.start, s.end, s.text, 0.0 if u.pure else s.score, kept=True)
        for s, u in zip(whole.sentences, units, strict=True)
    ]
    made = Compression(whole.text, whole.original, tuple(scored), whole.savings, whole.status, whole.reason)
    return made.with_parts(Parts(whole.original, tuple(units), elision))


def chosen(whole: Compression, threshold: float) -> list[bool]:
    """What the pipeline keeps at a threshold."""
    parts = parts_of(whole)
    return parts.closure([index for index in parts.choices if whole.sentences[index].score >= threshold])


def shown(whole: Compression, found: Thresholds, threshold: float) -> str:
    """The text at a threshold as the page makes it: of the units' own texts and the gaps between them."""
    texts = [sentence.text for sentence in whole.sentences]
    kept = [index for index, level in enumerate(found.kept_up_to) if level >= threshold]
    if len(kept) in (0, len(texts)):
        return "".join(texts[index] for index in kept)
    gaps = {(gap.before, gap.after): gap for gap in found.gaps}
    pieces, skipped = [], 0
    for before, after in pairwise([-1, *kept, len(texts)]):
        gap = gaps.get((before, after))
        text = "" if before < 0 else texts[before]
        pieces.append(text[skipped : len(text) - (gap.cut if gap else 0)])
        pieces.append(gap.between if gap else "")
        skipped = gap.skipped if gap else 0
    return "".join(pieces)


@pytest.mark.parametrize("encoding", COUNTERS)
@tries(300, 3)
@given(parts=DOCUMENTS, frames=FRAMES, elision=st.sampled_from([None, "[…]"]))
def test_every_threshold_is_what_the_pipeline_makes_of_it(encoding, parts, frames, elision):
    """However units begin and end and need each other, each step has the units, text and count of that threshold."""
    count = COUNTERS[encoding]
    plain = result([(text, score / 5) for text, score in parts], count)
    for whole in (plain, framed(plain, frames, elision)):
        if not whole.original.strip():
            continue
        found, units = at_every_threshold(whole, count), parts_of(whole)
        assert [step.threshold for step in found.steps] == sorted(set(found.kept_up_to))
        assert [index for index, unit in enumerate(units.units) if unit.pure] == found.pure_frame
        for step in found.steps:
            flags = chosen(whole, step.threshold)
            assert [level >= step.threshold for level in found.kept_up_to] == flags
            assert shown(whole, found, step.threshold) == units.text(flags)
            assert step.after == min(whole.savings.before, count(units.text(flags)))


@pytest.mark.parametrize("elision", [None, "[…]"])
def test_every_threshold_is_what_the_compressor_does(tiny: Compressor, elision):
    """At every score, and above the best, units, text and count are what the compressor gives for that threshold."""
    plain = "Ann Lee built it in 1842. It burned down. Who knows why? 水车建于1842年。它烧毁过两次。\n- one\n- two\n"
    for document in (plain, *ALL):
        whole = tiny.compress("Who built it?", [document], policy=Threshold(0.0), elision=elision)[0]
        found = at_every_threshold(whole, TokenCounter())
        for threshold in (*(sentence.score for sentence in whole.sentences), 1.0):
            one = tiny.compress("Who built it?", [document], policy=Threshold(threshold), elision=elision)[0]
            after = next((step.after for step in found.steps if step.threshold >= threshold), 0)
            assert after == one.savings.after
            if one.reason != "no_gain":
                assert [level >= threshold for level in found.kept_up_to] == [s.kept for s in one.sentences]
                assert shown(whole, found, threshold) == one.text


def test_what_no_threshold_changes_has_no_steps(tiny):
    """A blank document and one that failed stay as they are, whatever the threshold."""
    failed = Compression("a b", "a b", (Sentence(0, 3, "a b", 0.0, True),), Savings(2, 2), "error", "error: x")
    for one in (*tiny.compress("Who?", ["", " \n"]), failed):
        assert at_every_threshold(one, TokenCounter()) == Thresholds([], [], [], [])


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
        return len(at_every_threshold(whole, count).steps)

    count_all = TokenCounter()
    assert steps("It rained all day long, and nobody knows why. ", 4_000) == 4_000
    assert read < 10 * 4_000 * 46
    assert steps("({[<", 4_000) < 4_000
    assert read < 100 * 4_000 * 4

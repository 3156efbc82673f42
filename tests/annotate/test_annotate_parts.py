"""A prompt that would be too long becomes several, with every character of the document in one of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs.annotate.parts import split
from secateurs.annotate.prompts import make_messages
from secateurs.annotate.records import Unlabelled
from secateurs.result.savings import TokenCounter
from secateurs.segment import segment

COUNT = TokenCounter()
SENTENCES = st.sampled_from(
    ["The mill stood. ", "水车建于1842年。", "word " * 150 + "end. ", "x" * 900 + ". ", "𝒳! ", "\n\n"]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(SENTENCES, min_size=1, max_size=25), st.integers(400, 1500), st.sampled_from(["en", "zh"]))
def test_parts_hold_the_whole_document_and_fit(sentences: list[str], most: int, lang: str) -> None:
    """Pieces in order are the document; each belongs to its sentence; each prompt counts at most what it may."""
    context = "".join(sentences)
    record = Unlabelled("x", "Where is the mill?", context, lang, {})
    spans = segment(context)
    fixed = sum(COUNT(message["content"]) for message in make_messages(record.query, [], lang=lang))
    parts = split(record, spans, most=fixed + most, count=COUNT)
    pieces = [piece for part in parts for piece in part.pieces]
    for index, (start, end) in enumerate(spans):
        assert "".join(piece.text for piece in pieces if piece.sentence == index) == context[start:end]
    assert "".join(piece.text for piece in pieces) == context
    for part in parts:
        messages = make_messages(record.query, [p.text for p in part.pieces], lang=lang, before=part.before)
        assert sum(COUNT(message["content"]) for message in messages) <= fixed + most


def test_a_query_without_room_for_a_sentence_makes_no_prompt() -> None:
    """Too long is said, not hidden by cutting the query."""
    record = Unlabelled("x", "why " * 1000, "It rained.", "en", {})
    assert split(record, segment(record.context), most=1000, count=COUNT) == []


def test_halves_go_down_to_pieces_of_a_sentence() -> None:
    """A part can be halved until its text is short, and the halves are its text."""
    record = Unlabelled("x", "why?", "a" * 150, "en", {})
    (part,) = split(record, segment(record.context), most=6000, count=COUNT)
    halves = part.halves()
    assert [piece.text for half in halves for piece in half.pieces] == ["a" * 75] * 2
    assert halves[0].halves() == [] and halves[1].before == "a" * 75


def test_no_text_forges_a_number() -> None:
    """A document's own `<s7>` is no number, and a lone surrogate does not reach the server."""
    user = make_messages("q <s1>", ["a\n<s2> b", "\ud800"], lang="en", before="<s3> c")[1]["content"]
    assert [line for line in user.splitlines() if line.startswith("<s")] == ["<s1> a", "<s2> \ufffd"]
    assert "\ud800" not in user and user.count("<s") == 2

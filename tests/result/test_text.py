"""The data that goes out."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, replace

import pytest

from secateurs import Compression, MissingExtraError, Report, Savings, Sentence, Span
from secateurs.result.html import describe
from secateurs.result.span import merge_spans
from secateurs.serve.page import to_page

SENTENCES = (
    Sentence(0, 5, "One. ", 0.9, True),
    Sentence(5, 10, "Two. ", 0.8, True),
    Sentence(10, 16, "Three.", 0.1, False),
)
FRAMED = Compression(
    "# A\n\nOne.",
    "# A\n\nOne. Two.",
    (
        Sentence(0, 5, "# A\n\n", 0.25, True, frame=True),
        Sentence(5, 10, "One. ", 0.9, True),
        Sentence(10, 14, "Two.", 0.1, False),
    ),
    Savings(8, 5),
    "compressed",
)
RESULT = Compression("One. Two. ", "One. Two. Three.", SENTENCES, Savings(8, 5), "compressed", ranking_score=0.7)


def test_spans_are_the_merged_kept_ranges():
    """Kept neighbours make one span."""
    assert RESULT.spans == (Span(0, 10),)
    assert RESULT.kept == SENTENCES[:2]
    assert merge_spans([]) == ()
    assert merge_spans([(0, 1), (2, 3), (3, 4)]) == (Span(0, 1), Span(2, 4))


def test_what_was_cut_mirrors_what_was_kept():
    """Kept and cut sentences together are all of them, each with its score and place, and undo the compression."""
    assert RESULT.cut == SENTENCES[2:]
    assert sorted((*RESULT.kept, *RESULT.cut), key=lambda one: one.start) == list(SENTENCES)
    pieces = {one.start: one.text for one in (*RESULT.kept, *RESULT.cut)}
    assert "".join(pieces[start] for start in sorted(pieces)) == RESULT.original


def test_what_decided_is_no_part_of_equality_or_to_dict():
    """The policy and the token scores explain a result; they are not what it says."""
    explained = replace(RESULT, policy="Threshold(0.5)")
    assert explained == RESULT
    assert hash(explained) == hash(RESULT)
    assert explained.to_dict() == RESULT.to_dict()
    assert "Threshold(0.5)" in repr(explained)


def test_without_token_scores_there_are_no_highlights():
    """A result that was put together by hand, or of a family without token scores, has None."""
    assert RESULT.highlights(0.5) is None
    with pytest.raises(ValueError, match=r"min_score must be in \[0, 1\], got 2"):
        RESULT.highlights(2)


def test_html_marks_by_score():
    """Kept sentences are marked the more strongly the higher they score, cut ones are not; scores show on hover."""
    html = RESULT.to_html()
    assert re.findall(r'<(\w+) title="([\d.]+)" style="--score:([\d.]+)">', html) == [
        ("mark", "0.900", "0.900"), ("mark", "0.800", "0.800"), ("s", "0.100", "0.100")
    ]  # fmt: skip
    assert "var(--score)" in html
    assert RESULT._repr_html_() == html


def test_html_shows_frames_as_kept_with():
    """A unit that is kept for others is neither marked by its score nor dimmed, and says why it is there."""
    html = FRAMED.to_html()
    assert '<span class="frame" title="0.250, kept with what it frames"># A</span>\n\n<mark' in html
    assert re.findall(r'<(\w+) title="([\d.]+)" style', html) == [("mark", "0.900"), ("s", "0.100")]
    mute = replace(FRAMED.sentences[0], score=0.0)
    assert 'title="kept with what it frames">' in replace(FRAMED, sentences=(mute, *FRAMED.sentences[1:])).to_html()


def test_a_unit_says_that_it_is_frame_only_where_it_is():
    """`frame` stands in the dictionary of a unit that is kept for others alone."""
    assert [one.get("frame") for one in FRAMED.to_dict()["sentences"]] == [True, None, None]


def test_results_are_frozen():
    """Nobody changes a result."""
    with pytest.raises(FrozenInstanceError):
        RESULT.text = "other"


def test_the_dictionary_has_the_contracts_keys_and_json_types():
    """to_dict survives a round trip through JSON."""
    data = RESULT.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert list(data) == [
        "status", "reason", "warnings", "ranking_score", "text", "spans", "sentences", "savings"
    ]  # fmt: skip
    assert list(data["sentences"][0]) == ["start", "end", "text", "score", "kept"]
    assert list(data["savings"]) == ["before", "after", "saved", "saved_fraction", "encoding", "exact"]


def test_one_line_says_what_happened():
    """describe() is for logs and headings."""
    assert describe(RESULT) == "compressed: 2 of 3 units kept, 8 -> 5 tokens, 38% saved"
    assert describe(FRAMED) == "compressed: 2 of 3 units kept, 1 of them as frame, 8 -> 5 tokens, 38% saved"


def test_pages_escape_names_and_queries():
    """Neither a query nor a file name can forge a tag, and a lone surrogate breaks nothing."""
    odd = Compression("\ud800", "\ud800", (Sentence(0, 1, "\ud800", 0.0, True),), Savings(1, 1), "error", "error: x")
    page = to_page("<b>?", [("<i>.txt", RESULT), ("odd", odd)], Savings(8, 5))
    assert "<b>?" not in page
    assert "<i>" not in page
    page.encode("utf-8")


def test_reports_hold_results():
    """A report is plain data."""
    report = Report("q", [RESULT], RESULT.savings, ["a", None])
    assert report.error is None


def test_a_missing_extra_names_the_pip_line():
    """The error says what to type."""
    error = MissingExtraError("the LangChain adapter", "langchain")
    assert isinstance(error, ImportError)
    assert "pip install 'secateurs[langchain]'" in str(error)

"""What a tool's result was asked for, and what a compressor is asked of it."""

from __future__ import annotations

from typing import Any

import pytest
from fake_compressor import FakeCompressor

from secateurs import Compressor, Threshold
from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.asking import Asking, arguments_text, asking
from secateurs.adapters.runner import Runner

DEER = "The deer was written by Ann Smith. "
BOAT = "A boat lay on the shore. "
RAIN = "It rained all day. "


def test_a_named_argument_stands_alone():
    """Whatever else was said, the first argument that is named as a query is the query."""
    found = asking({"n": 3, "q": " ", "query": "deer"}, ("q", "query"), words="I look.", question="Who?")
    assert found == Asking("deer")


@pytest.mark.parametrize(
    ("arguments", "words", "question", "query", "also", "alone"),
    [
        ({"path": "a.py"}, "I look.", "Who?", "path: a.py", {"I look.": 0.9, "Who?": 0.8}, "Who?"),
        ({"path": "a.py"}, " ", "Who?", "path: a.py", {"Who?": 0.9}, "Who?"),
        ({}, "I look.", "Who?", "I look.", {"Who?": 0.9}, "Who?"),
        ({}, None, "Who?", "Who?", {}, "Who?"),
        ({"path": "a.py"}, None, None, "path: a.py", {}, None),
        ({}, "I look.", None, "I look.", {}, "I look."),
        ({}, "Who?", "Who?", "Who?", {}, "Who?"),
    ],
)
def test_the_nearer_weighs_more(
    arguments: dict[str, Any],
    words: str | None,
    question: str | None,
    query: str,
    also: dict[str, float],
    alone: str | None,
):
    """Arguments before the model's words before the user's question, as far as they are there, none twice."""
    assert asking(arguments, ("query",), words=words, question=question) == Asking(query, also, alone)


def test_nothing_was_asked():
    """Without arguments, words and a question there is no query."""
    assert asking({}, ("query",)) is None and asking({"deep": {"a": 1}}, (), words=" ", question="") is None


def test_arguments_as_a_text():
    """Short ones with their names; what was written or sent, and what is no text or number, says nothing."""
    assert arguments_text({"path": "a.py", "body": "x" * 500, "deep": {"a": 1}, "on": True, "at": [1, 2.5]}) == (
        "path: a.py, at: 1, 2.5"
    )
    assert arguments_text({"text": "two\n lines"}) == "text: two lines"
    assert len(arguments_text({str(number): "y" * 150 for number in range(9)})) == 400


def test_a_compressor_of_one_query_is_asked_the_question():
    """One whose `compress` takes no further queries gets the user's question alone."""
    asked = asking({"path": "a.py"}, (), words="I look.", question="deer")
    assert asked is not None
    settings = AgentSettings(compressor=FakeCompressor())
    outcome = Runner().run(settings, asked.query, [RAIN + DEER], [None], asking=asked)
    assert outcome.report.compressions[0].text == DEER


def test_the_best_of_several_queries_counts(tiny: Compressor):
    """A unit's score is the best of its scores for each query, each multiplied by its weight."""
    text = DEER + BOAT + RAIN
    queries = {"deer": 1.0, "boat": 0.5, "rain": 0.25}
    scores = {query: [one.score for one in tiny.compress(query, [text])[0].sentences] for query in queries}
    also = {query: weight for query, weight in queries.items() if query != "deer"}
    together = tiny.compress("deer", [text], policy=Threshold(0.0), also=also)[0]
    for place, one in enumerate(together.sentences):
        best = max(weight * scores[query][place] for query, weight in queries.items())
        assert one.score == pytest.approx(best, abs=1e-5)
    assert tiny.compress("deer", [text], also={})[0].sentences == tiny.compress("deer", [text])[0].sentences


@pytest.mark.parametrize("also", [["boat"], {" ": 0.5}, {"boat": 1.5}, {"boat": "much"}, {"boat": True}])
def test_wrong_further_queries_are_refused(tiny: Compressor, also: Any):
    """They are texts that are not blank, each with a number from 0 to 1."""
    with pytest.raises((TypeError, ValueError)):
        tiny.compress("deer", [RAIN], also=also)

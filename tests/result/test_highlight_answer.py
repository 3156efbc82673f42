"""A worked example: an LLM's own answer, highlighted against the question and against its sources."""

from __future__ import annotations

from pathlib import Path

from secateurs import Threshold

QUESTION = "Who wrote The Killing of a Sacred Deer?"
SOURCE = (Path(__file__).parents[1] / "data" / "sacred-deer.txt").read_text(encoding="utf-8")
ANSWER = (
    "The Killing of a Sacred Deer was directed by Yorgos Lanthimos. He wrote it together with Efthymis Filippou. "
    "It won a prize for its costumes. I hope this helps!"
)


def test_an_answer_highlighted_against_its_question(bundled):
    """Of a chatty answer, the sentences that answer the question stay, and the names in them stand out."""
    result = bundled.compress(QUESTION, [ANSWER])[0]
    assert [sentence.text.strip() for sentence in result.cut] == [
        "It won a prize for its costumes.",
        "I hope this helps!",
    ]
    assert "Efthymis Filippou" in [highlight.text for highlight in result.highlights(0.3)]  # of all "He wrote it ..."
    assert "Yorgos Lanthimos" in " ".join(highlight.text for highlight in result.highlights(0.8))
    assert all(highlight.end <= result.cut[0].start for highlight in result.highlights(0.3))


def test_an_answer_highlighted_against_its_sources(bundled):
    """Each sentence of an answer is a query to its source: what supports it is highlighted there, or nothing is."""
    claims = bundled.compress(QUESTION, [ANSWER], policy=Threshold(0.0))[0].sentences
    pairs = [(claim.text, SOURCE) for claim in claims]
    support = bundled.compress_pairs(pairs, policy=Threshold(0.3))
    assert [result.status for result in support] == ["compressed", "compressed", "dropped", "dropped"]
    written = support[1].highlights(0.3)
    assert "screenplay by Lanthimos and Efthymis Filippou" in " ".join(highlight.text for highlight in written)
    assert all(SOURCE[highlight.start : highlight.end] == highlight.text for highlight in written)
    assert support[2].highlights(0.5) == ()  # the source knows of no prize


def test_a_chinese_answer_highlighted_against_its_question(bundled):
    """The same in Chinese, where words have no spaces around them."""
    answer = "水车建于1842年，由安·李建造。它烧毁过两次。希望这对你有帮助！"
    result = bundled.compress("水车是谁建造的？", [answer], policy=Threshold(0.3))[0]
    assert result.text == "水车建于1842年，由安·李建造。"
    assert [highlight.text for highlight in result.highlights(0.5)] == [result.text]

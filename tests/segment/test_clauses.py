"""Laws, cases and time bounds of the clause segmenter."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from growth import LINEAR, grows, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from slices import part
from test_segment import ANY_TEXT, BLOCKS, BOMBS, MARKS

from secateurs import Compressor, Threshold
from secateurs.segment import check_tiling, get_segmenter, segment, units
from secateurs.segment.clauses import clause_units, clauses

PAUSES = st.lists(
    st.sampled_from(
        [
            "a",
            "word",
            "他",
            "行く",
            "1",
            "1,000",
            ",",
            ", ",
            ";",
            "; ",
            "，",
            "；",
            "、",
            "،",
            ". ",
            "。",
            "“",
            "”",
            "(",
            ")",
            "`",
            "```\n",
            "| a, b |\n",
            "- ",
            "\n",
            "\n\n",
            " ",
            "&amp;",
            "June 5",
            "1999",
            '"',
            "[1]",
            "_",
        ]
    ),
    max_size=60,
).map("".join)


def parts(text: str) -> list[str]:
    """Cut a text into the strings of its clauses."""
    return [text[start:end] for start, end in clauses(text)]


@settings(max_examples=400, deadline=None)
@given(text=ANY_TEXT | MARKS | PAUSES)
def test_clauses_tile_any_text_and_refine_its_sentences(text):
    """Clauses tile every text, each lies in one sentence, and line breaks belong to the one before them."""
    spans = clauses(text)
    assert check_tiling(spans, text) == spans
    assert {end for _, end in segment(text)} <= {end for _, end in spans}
    assert not any(text[start] in "\n\r" for start, _ in spans[1:])
    if len(spans) > 1:
        assert all(text[start:end].strip() for start, end in spans)


@settings(max_examples=200, deadline=None)
@given(text=MARKS | PAUSES)
def test_clauses_have_the_frames_of_their_sentences(text):
    """What a clause needs, with all that this needs, is what its sentence needs, cut the same way."""
    found, whole = clause_units(text), units(text)
    ends = [unit.end for unit in whole]
    inside = [bisect_left(ends, unit.end) for unit in found]
    for index, unit in enumerate(found):
        assert {inside[other] for other in unit.frame} == set(whole[inside[index]].frame)
        assert unit.kind == whole[inside[index]].kind


@settings(max_examples=200, deadline=None)
@given(text=PAUSES)
def test_no_number_is_cut(text):
    """No clause begins between two digits."""
    for start, _ in clauses(text)[1:]:
        assert not (text[start].isdigit() and text[start - 1] in ",，" and text[start - 2 : start - 1].isdigit())


CASES = [
    ["The mill, ", "built in 1842, ", "burned down; ", "nobody knows why. ", "It rained."],
    ["They came,\n", "saw; ", "and left."],
    ["It cost 1,000 pounds, ", "or 1,000,000.50 in all, ", "or 3,14 euros."],
    ["On June 5, 1999, ", "it burned, ", "and on 5 May, ", "2000 people came."],
    ["Salt &amp; pepper, ", "A&#38;B; ", "and more."],
    ["“Go,” ", "she said, ", "“now.”"],
    ["He said “I came, I saw, I won” and left, ", "too."],
    ["It (built 1842, rebuilt 1850) burned, ", "sadly."],
    ["Call `f(a, b); g()` first, ", "then wait."],
    ["See [a, b](http://x.y/a,b;c), ", "please."],
    ["It rained,[1] ", "then it snowed.[2]"],
    ["a,b;c,d have no space"],
    ["He won: gold, ", "silver, ", "and bronze."],  # a colon introduces, it does not separate
    ["Well,,, ", "yes."],
    ["他来了，", "她走了；", "苹果、", "香蕉、", "梨。", "好。"],
    ["他来了,", "她走了;", "好。"],
    ["共1，000个，", "或者1,000个，", "很多。"],
    ["他说：“你好，世界。”", "然后，", "他走了。"],
    ["《红，与黑》很好，", "（见第一章，第二节）真的。"],
    ["犬、", "猫、", "鳥がいる。", "行く，", "と言った。"],
    ["مرحبا، ", "كيف حالك؛ ", "بخير."],
    ["One. ", "Two, ", "three\n\n", "四，", "五。"],
]


@pytest.mark.parametrize("expected", CASES, ids=lambda spans: spans[0].strip()[:30])
def test_cases(expected):
    """A comma or semicolon ends a clause unless a number, a date, a quotation, a bracket or code explains it."""
    assert parts("".join(expected)) == expected


WHOLE = [
    *BLOCKS,
    ["One.\n", "```py\nf(a, b); g(c)\n```\n"],
    ["| a, b | c; d |\n", "|---|---|\n", "| e, f | g |\n"],
    ["# Title, of it; all\n", "Text, ", "and more."],
    ["Intro:\n", "- one, two; three\n", "- four, five\n"],
]


@pytest.mark.parametrize("expected", WHOLE, ids=lambda spans: spans[0].strip()[:12])
def test_blocks_stay_whole(expected):
    """Fenced code, tables, list items and headings are cut at no comma."""
    assert parts("".join(expected)) == expected


@pytest.mark.sliced
@pytest.mark.parametrize(
    "bomb", [*BOMBS[::4], ", ", ",", "，", "a, ", "(a, ", "“a, ", "`a, ", "&amp", "&;", "1,", "; ;"], ids=ascii
)
def test_time_is_linear(bomb):
    """Twice the text takes about twice the time, whatever repeats."""
    size = part(100_000)  # characters
    assert grows(clauses, bomb, size) <= LINEAR
    text = bomb * (size // len(bomb))
    many = len(clauses(text)) + text.count("\n") > 1_000
    most = 0.1 + (2.5 if many else 0.8) * size / 100_000
    assert seconds(lambda: clauses(text), 2, most=most) <= most


def test_a_megabyte_is_quick():
    """Ordinary text passes at more than a million characters in two and a half seconds."""
    line = "The quick fox, who jumped over 1,000 dogs; was it “ok, then”? It was (as ever, yes) fine.\n"
    text = line * 12_000
    assert seconds(lambda: clauses(text), 2, most=2.5) <= 2.5


def test_a_compressor_cuts_clauses(tiny_folder, bundled):
    """`segmenter="clauses"` scores and cuts clauses, and keeps every law of the result."""
    compressor = Compressor.from_pretrained(tiny_folder, segmenter="clauses", device="cpu")
    text = "The mill, built in 1842, burned down; nobody knows why."
    result = compressor.compress("Who built the mill?", [text], policy=Threshold(0.0))[0]
    assert [s.text for s in result.sentences] == [
        "The mill, ",
        "built in 1842, ",
        "burned down; ",
        "nobody knows why.",
    ]
    assert get_segmenter("clauses") is clauses
    bundled_too = Compressor(bundled._loaded, segmenter="clauses")
    answer = "Well, the mill was built by Ann Lee, who liked wind, and the weather is nice today, I think."
    kept = bundled_too.compress("Who built the mill?", [answer], policy=Threshold(0.3))[0].text
    assert "Ann Lee" in kept
    assert "weather" not in kept

"""Texts of several kinds, cut region by region: front matter, JSON after a line, HTML in Markdown, links, tags."""

from __future__ import annotations

import pytest
from shown import kinds, needs, shown, texts

from secateurs.segment import get_cutter, segment, units
from secateurs.segment.units import LONGEST

MATTER = [
    ("---\ntitle: x\n---\n\n# A\n\nText.\n", ["mark", "record", "mark", "heading", "prose"]),
    ("+++\ntitle = 'x'\n+++\nText.\n", ["mark", "record", "mark", "prose"]),
    ("\ufeff---\ntitle: x\ntags:\n  - a\n---\nText.\n", ["mark", "record", "record", "record", "mark", "prose"]),
    ("title: x\n---\n\nText.\n", ["record", "mark", "prose"]),
    ("---\n\nText.\n\n---\n", ["mark", "prose", "mark"]),
    ("Text.\n\n---\ntitle of no matter\n", ["prose", "mark", "prose"]),
]


@pytest.mark.parametrize(("text", "expected"), MATTER, ids=[repr(case[0])[:20] for case in MATTER])
def test_front_matter_is_data(text, expected):
    """What stands between `---` or `+++` at the beginning is data that needs both marks; nothing else is."""
    assert kinds(text) == expected


def test_the_marks_of_front_matter_need_each_other():
    """A line of front matter comes with both marks."""
    assert needs("---\ntitle: x\n---\nText.\n", "title") == {"---"}
    assert [unit.frame for unit in units("---\ntitle: x\n---\nText.\n")] == [(2,), (0, 2), (0,), ()]


LINKS = [
    "[Mills](/mills)\n[Tides](/tides)\n[Moons](/moons)\n",
    "[Mills](/mills)\n\n[Tides](/tides)\n",
    "![Mill](a.png)\n![Tide](b.png)\n",
    "[A](a) | [B](b) | [C](c)\n[D](d)\n",
    "[a]: https://a.example\n[b]: https://b.example 'B'\n",
    "• [Mills](/mills)\n• [Tides](/tides)\n",
]


@pytest.mark.parametrize("text", LINKS, ids=[text[:20] for text in LINKS])
def test_a_list_of_links_is_a_line_each(text):
    """A line of nothing but links is no prose and stays with none."""
    assert len(units(text)) == len([line for line in text.splitlines() if line])
    assert "prose" not in kinds(text)


TAGS = [
    ("Text.\n\n<SimpleTab>\n\nMore.\n", ["prose", "tag", "prose"]),
    ("</Tip>\nText.\n", ["tag", "prose"]),
    ('<Tabs\n  group="a"\n  values={[\n  ]}>\n\nText.\n', ["tag", "prose"]),
    (":::note\nMind it.\n:::\n", ["mark", "prose", "mark"]),
    (":::: {.callout}\nMind it.\n::::\n", ["mark", "prose", "mark"]),
    ("He wrote `<b>` and `</b>` here. Two.\n", ["prose", "prose"]),
]


@pytest.mark.parametrize(("text", "expected"), TAGS, ids=[case[0][:20] for case in TAGS])
def test_a_tag_that_has_lost_its_element_is_no_sentence(text, expected):
    """A line that is nothing but a tag, or opens or closes a box, is frame."""
    assert kinds(text) == expected


CSS = [
    "Text here.\n\n.a { color: red; }\n.b { color: blue; }\n",
    "Text here.\n\nx = f(1)\ny = g(x)\n",
    "Text here.\n\n$ pip install x\n$ x --version\n",
    "Text here.\n\nSELECT a, b\nFROM t\nWHERE a = 1;\n",
    'Text here.\n\nimport Tabs from "@theme/Tabs";\nimport Tab from "@theme/Tab";\n',
]


@pytest.mark.parametrize("text", CSS, ids=[text[12:30] for text in CSS])
def test_code_without_a_fence_is_code(text):
    """Lines that are plainly code are one unit of it, and no sentences."""
    assert kinds(text)[0] == "prose"
    assert set(kinds(text)[1:]) <= {"code", "record"}


def test_code_inside_a_line_is_prose():
    """A sentence about code is a sentence."""
    for text in (
        "Call `f(x)` first. It returns y.\n",
        "Use x = 1 here,\nand then y.\n",
        "It compares a < b and c > d.\n",
    ):
        assert set(kinds(text)) == {"prose"}


def test_no_unit_is_longer_than_it_may_be():
    """Only a run without white space is longer; parts of an item, a heading or a row need each other."""
    words = "word " * 3_000
    for text in (
        words,
        "- " + words,
        "# " + words,
        f"| {words} |\n|---|\n",
        "> " + words,
        f"```\n{words}\n```\n\nText.\n",
    ):
        assert max(unit.end - unit.start for unit in units(text)) <= LONGEST
    assert len(units("x" * 10_000)) == 1
    heading = [unit for unit in units("# " + words) if unit.kind == "heading"]
    assert len(heading) > 1
    assert set(heading[0].frame) == set(range(1, len(heading)))


def test_line_breaks_of_all_systems_end_lines():
    """Windows' and old Macs' line breaks make the same blocks."""
    text = "# A\n\n- a\n  - b\n\nText.\n"
    for ending in ("\r\n", "\r"):
        other = text.replace("\n", ending)
        assert shown(other) == [(kind, frame, piece.replace("\n", ending)) for kind, frame, piece in shown(text)]


def test_blank_texts_have_one_unit_and_the_empty_one_none():
    """White space and byte order marks are prose without a word."""
    assert units("") == []
    for text in (" ", "\n\n", "\ufeff", "\u3000\n", "\ufeff\n"):
        assert segment(text) == [(0, len(text))]


def test_a_cutter_is_a_segmenter_with_frames():
    """Names give units whose spans are those of the segmenter; the user's own has no frames and is checked."""
    text = "# A\n\nOne, two. Three.\n"
    assert get_cutter()(text) == get_cutter("en")(text) == units(text)
    assert [unit.frame for unit in get_cutter("clauses")(text)] == [(), (0,), (0,), (0,)]
    assert all(not unit.frame for unit in get_cutter("lines")(text))
    assert [tuple(unit[:2]) for unit in get_cutter(lambda text: [(0, len(text))])(text)] == [(0, len(text))]
    with pytest.raises(ValueError, match="expected"):
        get_cutter(lambda text: [(1, 2)])(text)
    assert "".join(texts(text)) == text

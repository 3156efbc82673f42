"""Hostile Markdown: linear, without recursion, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from growth import LINEAR, grows, growth, seconds
from slices import part

from secateurs.segment import units
from secateurs.segment.units import LONGEST

RUNS = [
    ">", "> ", "- ", "1. ", "- > ", "# ", "|", "|a", "`", "~~~\n", "```a\n", "a.\n```\n", "- a\n", "  - a\n",
    "> a\n", "> - a\n", "1. a\n", "* a\n\n  b\n", "# a\n", "a\n-\n", "a\n===\n", "---\n", "|a\n|-\n", "|a|\n",
    "    a\n", ">\n", "[!NOTE]\n", "> [!NOTE]\n\n", "[1] a\n", "[1] a\nb\n", "Title: a\n\n", "• a\n", "一、a\n",
    "Ann: b. c\nBob: d?\n", "（一）", "[a](b) ", "[a](b)\n", "[a]: b\n", "- [ ] a\n", ":::a\n", "$$ a\n", "a\n: b\n",
    "[^1]: b\n c\n", "!!! a\n    b\n", "• a\n◦ b\n", "a wrote 1:00:\n> b\n", "---a---\nFrom: b\n", "<Tab\n", "<a>\n",
    "</a>\n\n", "['a', \n", "[('a", "['a', b(1, ", "a = {\n", "\r", "Title: a\n",
]  # fmt: skip


@pytest.mark.sliced
@pytest.mark.parametrize("unit", RUNS, ids=ascii)
def test_a_run_takes_linear_time(unit):
    """Twice the text takes about twice the time, whatever repeats; the units are the text."""
    text = unit * (20_000 // len(unit))
    found = units(text)
    assert sum(one.end - one.start for one in found) == len(text)
    assert grows(units, unit, part(40_000, 2)) <= LINEAR


SHAPES: dict[str, Callable[[int], str]] = {
    "lines that go on lazily in a nest of quotes": lambda n: "> " * 100 + "a\n" + "a\n" * n,
    "the same with a mark": lambda n: "> " * 100 + "a\n" + "> a\n" * n,
    "nests of quotes, a few lazy lines each": lambda n: ("> " * 64 + "a\n" + "a\n" * 20) * (n // 84),
    "items and quotes in turn": lambda n: "- > " * 50 + "a\n" + "a\n" * n,
    "one item with many inside": lambda n: "- x\n" + "  - a\n" * n,
    "a long item with many inside": lambda n: "- " + "One two. " * n + "\n" + "  - a\n" * n,
    "stairs": lambda n: "".join("  " * i + "- a\n" for i in range(int((2 * n) ** 0.5))),
    "stairs of code": lambda n: "".join("    " * i + "some words are here.\n\n" for i in range(int(n**0.5))),
    "halves of fences": lambda n: "a = 1\n```\nprose is here, all of it.\n```py\n" * (n // 30),
    "code and prose in turn, never closed": lambda n: "```py\n" + "Some prose is here. Yes.\n\nx = 1\n\n" * (n // 10),
    "wide table": lambda n: "a|" * n + "\n" + "-|" * n + "\n" + "a\n" * 100,
    "a quote of one line": lambda n: "> " + "One. " * n,
    "front matter": lambda n: "---\n" + "a: b\n" * n + "---\n",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_shape_takes_linear_time(shape):
    """What one repeated piece cannot build is linear, too."""
    texts = [shape(size) for size in (2_000, 4_000, 8_000)]
    assert sum(unit.end - unit.start for unit in units(texts[0])) == len(texts[0])
    most = LINEAR + 0.2  # small texts, so some noise
    assert growth(units, texts, [len(text) for text in texts], most) <= most
    seconds_each = 60e-6 * len(texts[-1])  # a character
    assert seconds(lambda: units(texts[-1]), 2, most=seconds_each) <= seconds_each


@pytest.mark.parametrize("mark", ["[", ">", "- "])
def test_ten_megabytes_of_one_mark(mark):
    """Ten megabytes of one mark are units in seconds."""
    text = mark * (10_000_000 // len(mark))
    found = []
    assert seconds(lambda: found.append(units(text)), 1, most=15) <= 15
    assert sum(unit.end - unit.start for unit in found[0]) == len(text)


@pytest.mark.parametrize("nest", ["> ", "- ", "- > ", "1. "])
def test_ten_thousand_levels(nest):
    """What is nested too deeply for a parser is text of the level above, no longer than a unit may be."""
    text = nest * 10_000 + "x\n\ny. z\n"
    found = units(text)
    assert text[found[-1].start :].endswith("z\n")
    assert max(unit.end - unit.start for unit in found) <= LONGEST
    assert sum(unit.end - unit.start for unit in found) == len(text)


def test_lists_nested_deeper_than_the_parser_reads():
    """Each line stays a unit and needs the deepest item above it that is known."""
    text = "".join("  " * level + f"- level {level}\n" for level in range(60))
    found = units(text)
    assert len(found) == 60
    assert [text[unit.start : unit.end].strip() for unit in found] == [f"- level {level}" for level in range(60)]
    assert all(unit.frame for unit in found[1:])

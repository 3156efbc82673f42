"""Kept units put together: well-formed where the document was, nothing rewritten, separators and elision marks."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from well_formed import check_markdown

from secateurs.result.join import Parts
from secateurs.segment import units
from secateurs.segment.units import Unit


def cut(text: str, *words: str, elision: str | None = None) -> str:
    """What is left when the units are chosen that hold one of these words."""
    parts = Parts(text, tuple(units(text)), elision)
    chosen = [
        index
        for index, unit in enumerate(parts.units)
        if not unit.pure and any(word in text[unit.start : unit.end] for word in words)
    ]
    return parts.text(parts.closure(chosen))


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("- A1\n  - B2\n- C3\n", ("A1", "C3"), "- A1\n- C3\n"),
        ("- A1\n  - B2\n- C3\n", ("B2",), "- A1\n  - B2"),
        ("# H\n\nOne. Two.\n\n## Backups\n\nThree.", ("One", "Three"), "# H\n\nOne.\n\n## Backups\n\nThree."),
        ("One. Two.\n\nThree. Four.", ("One", "Four"), "One.\n\nFour."),
        ("One. Two. Three.", ("One", "Three"), "One. Three."),
        ("一。二。三。", ("一", "三"), "一。三。"),
        ("> One. Two.\n>\n> Three. Four.", ("One", "Four"), "> One.\n>\n> Four."),
        ("> One. Two. Three.", ("Two",), "> Two."),
        ("| a | b |\n|---|---|\n| x | 1 |\n| y | 2 |\n", ("y",), "| a | b |\n|---|---|\n| y | 2 |\n"),
        ('{"a": 1, "b": {"c": [2, 3]}, "d": 4}', ('"a"', '"d"'), '{"a": 1, "d": 4}'),
        ('{"a": 1, "b": 2}', ('"a"',), '{"a": 1}'),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n', ('"b"',), '{\n  "b": 2\n}\n'),
        ("<p>It rained.</p><p>It snowed.</p>", ("snowed",), "<p>It snowed.</p>"),
        ("name,pay\nAnn,1\nBob,2\nCy,3\n", ("Cy",), "name,pay\nCy,3\n"),
    ],
)
def test_what_stays_is_well_formed(text, words, left):
    """Lists keep ancestors, headings their text, tables their header, JSON its commas, paragraphs their breaks."""
    assert cut(text, *words) == left


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("One. Two. Three.", ("One", "Three"), "One. […] Three."),
        ("One. Two. Three.", ("Two",), "[…] Two. […]"),
        ("One.\n\nTwo.\n\nThree.", ("One", "Three"), "One.\n\n[…]\n\nThree."),
        ("- A1\n- B2\n- C3\n", ("A1", "C3"), "- A1 […]\n- C3\n"),
        ("# H\n\nOne.\n\n- A1\n- B2\n", ("B2",), "# H\n\n[…]\n\n- B2\n"),
        ('[{"a": 1}, {"b": 2}, {"c": 3}]', ('"b"',), '[{"b": 2}]'),
        ("name,pay\nAnn,1\nBob,2\nCy,3\n", ("Cy",), "name,pay\nCy,3\n"),
        ("| a | b |\n|---|---|\n| x | 1 |\n| y | 2 |\n", ("y",), "| a | b |\n|---|---|\n| y | 2 |\n"),
        ("一。二。三。", ("一", "三"), "一。[…]三。"),
        ("> One. Two.\n>\n> Three.", ("One", "Three"), "> One. […]\n>\n> Three."),
    ],
)
def test_an_elision_mark_stands_where_something_was_cut(text, words, left):
    """It stands in prose and lists, never inside JSON, a table or CSV, and ends no list and no quote."""
    assert cut(text, *words, elision="[…]") == left


@pytest.mark.parametrize("element", ["div", 'div class="termy"', "details", "section", "center", "blockquote"])
def test_markdown_inside_a_block_of_html_stays_markdown(element):
    """Between blank lines inside an element there is Markdown: a fence is closed, an item keeps those it is in."""
    name = element.split()[0]
    code = "".join(f"line <{number}> of it\n" + "\n" * (number % 4 == 3) for number in range(16))
    inside = f"```sh\n{code}```\n\n- a\n  - b\n\nSee <b>it</b>. Go.\n\n"
    text = f"# T\n\n<{element}>\n\n{inside}</{name}>\n\nAfter it.\n"
    first = code[: code.index("\n\n")]
    for word, left in (("<2> of", f"```sh\n{first}\n\n```"), ("- b", "- a\n  - b"), ("Go.", "Go.")):
        assert cut(text, word) == f"# T\n\n<{element}>\n\n{left}\n\n</{name}>"
    assert cut(text, "After") == "# T\n\nAfter it.\n"


def test_a_summary_is_above_nothing_behind_its_details():
    """What stands behind `<details>` does not need their summary, whatever stood in them."""
    text = "<details>\n<summary>More</summary>\n\n- one\n- two\n\n</details>\n\nAfter it.\n"
    assert cut(text, "After") == "After it.\n"


def test_a_rule_stays_between_what_stays():
    """A thematic break is nobody's frame: it stays where its neighbours do, and goes with either."""
    text = "One.\n\n---\n\nTwo. Three.\n"
    assert cut(text, "One", "Two") == "One.\n\n---\n\nTwo."
    assert cut(text, "Three") == "Three.\n"


def test_a_segmenters_own_slices_are_never_changed():
    """Units without frames are joined by the separators rule alone."""
    parts = Parts("a b\n\nc d", (Unit(0, 2), Unit(2, 5), Unit(5, 7), Unit(7, 8)))
    assert parts.text([True, False, True, False]) == "a\n\nc"


words = st.sampled_from(["mill", "oil", "rain", "river", "二月"])
sentence = st.lists(words, min_size=1, max_size=4).map(lambda some: " ".join(some).capitalize() + ".")


@st.composite
def markdown(draw: st.DrawFn) -> str:
    """Headings, paragraphs, nested lists, fences, tables and quotes, in any order."""
    blocks = []
    number = iter(range(10_000))

    def text() -> str:
        return f"{draw(sentence)[:-1]} n{next(number)}."

    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["heading", "paragraph", "list", "ordered", "fence", "table", "quote"]))
        if kind == "heading":
            blocks.append("#" * draw(st.integers(1, 4)) + " " + text())
        elif kind == "paragraph":
            blocks.append(" ".join(text() for _ in range(draw(st.integers(1, 4)))))
        elif kind == "list":
            depths = [0]
            for _ in range(draw(st.integers(0, 6))):
                depths.append(draw(st.integers(0, depths[-1] + 1)))
            blocks.append("\n".join("  " * depth + "- " + text() for depth in depths))
        elif kind == "ordered":
            blocks.append("\n".join(f"{i + 1}. {text()} {text()}" for i in range(draw(st.integers(1, 4)))))
        elif kind == "fence":
            blocks.append(
                "```\n" + "\n".join(f"x = {next(number)}" for _ in range(draw(st.integers(1, 20)))) + "\n```"
            )
        elif kind == "table":
            rows = [f"| {text()} | {next(number)} |" for _ in range(draw(st.integers(1, 4)))]
            blocks.append("\n".join([f"| a{next(number)} | b |", "|---|---|", *rows]))
        else:
            blocks.append("> " + " ".join(text() for _ in range(draw(st.integers(1, 3)))))
    return "\n\n".join(blocks) + "\n"


@given(text=markdown(), data=st.data())
def test_markdown_stays_markdown(text, data):
    """Every kept item has its ancestors, every unit its own heading; no indentation changes, no fence is torn."""
    parts = Parts(text, tuple(units(text)))
    choices = [index for index, unit in enumerate(parts.units) if not unit.pure]
    chosen = data.draw(st.sets(st.sampled_from(choices), min_size=1))
    stays = parts.closure(chosen)
    check_markdown(parts, stays, parts.text(stays))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=500),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(value=st.lists(values, min_size=1) | st.dictionaries(st.text(max_size=8), values, min_size=1), data=st.data())
def test_json_stays_json(value, data):
    """Whatever is chosen, what is left parses."""
    indent = data.draw(st.sampled_from([None, 1, 2, 4]))
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()), indent=indent)
    parts = Parts(text, tuple(units(text)))
    choices = [index for index, unit in enumerate(parts.units) if not unit.pure]
    chosen = data.draw(st.sets(st.sampled_from(choices), min_size=1))
    left = parts.text(parts.closure(chosen))
    assert type(json.loads(left)) is type(value)


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1, max_size=8)


@given(rows=st.lists(st.tuples(cells, cells, st.integers(0, 999)), min_size=4, max_size=12), data=st.data())
def test_csv_keeps_its_header(rows, data):
    """Every row that is left is one of the source's, and where the header is known it stands above them."""
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows([("name", "team", "pay"), *rows])
    text = out.getvalue()
    parts = Parts(text, tuple(units(text)))
    if any(unit.kind != "row" for unit in parts.units):
        return  # cells that make something else of it
    chosen = data.draw(st.sets(st.sampled_from(range(1, len(parts.units))), min_size=1))
    left = list(csv.reader(StringIO(parts.text(parts.closure(chosen)))))
    known = list(csv.reader(StringIO(text)))
    assert all(row in known for row in left)
    assert left[0] == known[0] or not parts.units[1].frame

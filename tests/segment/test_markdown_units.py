"""Markdown in units: items, headings, tables, fences, quotes, each with its frame; five neighbours of every case."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from pages import pages
from shown import kinds, needs, shown, texts

from secateurs.segment import units
from secateurs.segment.markdown.parser import DEEPEST, Parser

LONG = "A sentence of forty characters, or so it is. " * 6

ITEMS = [
    ("- A1\n  - B2\n- C3\n", [("item", (), "- A1\n"), ("item", (0,), "  - B2\n"), ("item", (), "- C3\n")]),
    ("* a\n\n  + b\n\n    c\n", [("item", (), "* a\n\n"), ("item", (0,), "  + b\n\n"), ("prose", (1,), "    c\n")]),
    ("1) a\n   1) b\n", [("item", (), "1) a\n"), ("item", (0,), "   1) b\n")]),
    ("- - a\n  - b\n", [("item", (), "- - a\n"), ("item", (0,), "  - b\n")]),
    ("-\n  a\n", [("mark", (), "-\n"), ("prose", (0,), "  a\n")]),
    ("- [ ] do\n  - [x] done\n", [("item", (), "- [ ] do\n"), ("item", (0,), "  - [x] done\n")]),
    ("- a\n\n      x = 1\n", [("item", (), "- a\n\n"), ("code", (0,), "      x = 1\n")]),
    ("- a\n  ```\n  x\n  ```\n", [("item", (), "- a\n"), ("code", (0,), "  ```\n  x\n  ```\n")]),
    ("- a\n\n  > b\n", [("item", (), "- a\n\n"), ("prose", (0,), "  > b\n")]),
    ("\t- a\n\t- b\n", [("item", (), "\t- a\n"), ("item", (), "\t- b\n")]),
    ("  - a\n- b\n", [("item", (), "  - a\n"), ("item", (), "- b\n")]),
    ("- # H\n  a\n", [("heading", (), "- # H\n"), ("prose", (0,), "  a\n")]),
    ("• a\n  ◦ b\n• c\n", [("item", (), "• a\n"), ("item", (0,), "  ◦ b\n"), ("item", (), "• c\n")]),
]


@pytest.mark.parametrize(("text", "expected"), ITEMS, ids=[repr(case[0])[:20] for case in ITEMS])
def test_an_item_needs_the_items_it_is_nested_in(text, expected):
    """An item is its own text, marker and indentation included, and needs those above; its other blocks need it."""
    assert shown(text) == expected


@pytest.mark.parametrize("marker", ["- ", "* ", "3. ", "7) ", "- [ ] ", "> - "])
def test_a_long_item_is_its_marker_and_its_sentences(marker):
    """An item of more than 240 characters is cut in sentences that need its marker; what is nested needs them all."""
    indent = " " * len(marker.removeprefix("> ").removesuffix("[ ] "))
    text = f"{marker}{LONG.strip()}\n{'> ' if marker[0] == '>' else ''}{indent}- nested\n"
    found = shown(text)
    assert found[0] == ("mark", (), marker)
    assert [kind for kind, _, _ in found] == ["mark", *["item"] * 7]
    assert all(frame == (0,) for _, frame, _ in found[1:-1])
    assert set(found[-1][1]) == set(range(7))
    short = f"{marker}{LONG[:239].strip()}\n"
    assert kinds(short) == ["item"]


STEPS = [
    ("1. 点击左上角的“设置”按钮，打开设置窗口。此时会弹出一个对话框。\n", ["mark", "item", "item"]),
    ("2、先关闭电源，等待大约三十秒左右。然后重新启动设备，灯会亮。\n", ["mark", "item", "item"]),
    ("① 打开应用的首页，找到右上角的图标。点击它以后选择“退出登录”。\n", ["mark", "item", "item"]),
    ("1. 点击“设置”。完成。\n", ["item"]),
    ("- 点击左上角的“设置”按钮，打开设置窗口。此时会弹出一个对话框。\n", ["item"]),
    ("1. 点击左上角的“设置”按钮，打开设置窗口，再选择下面第二项，按“确定”。\n", ["item"]),
    ("1. Click the button. A window opens. Choose the second entry there.\n", ["item"]),
]


@pytest.mark.parametrize(("text", "expected"), STEPS, ids=[case[0][:8] for case in STEPS])
def test_a_step_in_chinese_holds_sentences(text, expected):
    """A numbered step of over 20 ideographs that holds several sentences is cut in them, its marker the frame."""
    assert kinds(text) == expected


NUMBERED = [
    ("To do:\n1. a\n2. b\n", {"1. a"}),
    ("- x\n  1. a\n  2. b\n", {"- x", "1. a"}),
    ("> To do:\n> 1. a\n> 2. b\n", {"> 1. a"}),
    ("To do:\n1) a\n2) b\n", {"1) a"}),
    ("To do:\n\n1. a\n2. b\n", set()),
    ("# To do\n1. a\n2. b\n", {"# To do"}),
]


@pytest.mark.parametrize(("text", "expected"), NUMBERED, ids=[repr(case[0])[:20] for case in NUMBERED])
def test_only_the_first_item_ends_a_paragraph(text, expected):
    """`2.` right below a line of text would be a part of it: it needs the first item, a blank line sets it free."""
    assert needs(text, "b") == expected


HEADINGS = [
    ("# A\n\n## B\n\nx\n\n# C\n\ny\n", {"x": {"# A", "## B"}, "y": {"# C"}}),
    ("A\n=\n\nB\n-\n\nx\n\nC\n=\n\ny\n", {"x": {"A\n=", "B\n-"}, "y": {"C\n="}}),
    ("### A\n\n# B\n\nx\n", {"x": {"# B"}}),
    ("# A\n\n- x\n  - y\n", {"x": {"# A"}, "y": {"# A", "- x"}}),
    ("# A\n\n> # B\n> x\n\ny\n", {"x": {"# A", "> # B"}, "y": {"# A"}}),
    ("# A\n\n| x |\n|---|\n| y |\n", {"y": {"# A", "| x |", "|---|"}}),
    ("参数\n::::::\n\nx\n\n返回\n::::::\n\ny\n", {"x": {"参数\n::::::"}, "y": {"返回\n::::::"}}),
    ("二、收费\n每次三十元。\n三、时间\n早八点。\n", {"每次": {"二、收费"}, "早八": {"三、时间"}}),
    ("第二章 总则\n\n本法有效。\n", {"本法": {"第二章 总则"}}),
    ("\ufeff# A\r\n\r\nx\r\n", {"x": {"\ufeff# A"}}),
]


@pytest.mark.parametrize(("text", "expected"), HEADINGS, ids=[repr(case[0])[:20] for case in HEADINGS])
def test_what_stands_under_a_heading_needs_it(text, expected):
    """A unit needs the nearest heading above it, and through it the path of headings above that one."""
    for piece, above in expected.items():
        assert needs(text, piece) == above


TWO_LISTS = [
    ("- aaa\n- bbb\n\nThe limits:\n\n- ccc\n- ddd\n", {"The limits:"}),
    ("1. aaa\n\nOne. Two.\n\n1. ccc\n2. ddd\n", {"Two."}),
    ("- aaa\n\n| h |\n|---|\n| x |\n\n- ccc\n- ddd\n", {"| x |", "| h |", "|---|"}),
    ("> - aaa\n>\n> Text.\n>\n> - ccc\n> - ddd\n", {"> Text.\n>"}),
    ("* 甲乙\n\n限额如下：\n\n* ccc\n* ddd\n", {"限额如下："}),
    ("- aaa\n\nText.\n\n* ccc\n* ddd\n", set()),
    ("- aaa\n\nText.\n\n1. ccc\n2. ddd\n", set()),
    ("- aaa\n\n## Other\n\n- ccc\n- ddd\n", {"## Other"}),
]


@pytest.mark.parametrize(("text", "expected"), TWO_LISTS, ids=[repr(case[0])[:24] for case in TWO_LISTS])
def test_two_lists_do_not_become_one(text, expected):
    """The items of a list need what stands between them and a list before whose markers are the same."""
    for piece in ("ccc", "ddd"):
        assert needs(text, piece) == expected


RULES = [
    ("Bob runs it.\n---\nNext.\n", ["prose", "mark", "prose"]),
    ("It runs:\n---\nNext.\n", ["prose", "mark", "prose"]),
    ("One line\nAnd another\n---\nNext.\n", ["prose", "prose", "mark", "prose"]),
    ("他来了。\n---\n她走了。\n", ["prose", "mark", "prose"]),
    ("Text.\n\n---\n\nMore.\n", ["prose", "mark", "prose"]),
    ("- a\n- b\n---\nNext.\n", ["item", "item", "mark", "prose"]),
    ("A title\n---\nNext.\n", ["heading", "prose"]),
    ("***\n", ["mark"]),
]


@pytest.mark.parametrize(("text", "expected"), RULES, ids=[repr(case[0])[:20] for case in RULES])
def test_a_rule_is_a_unit_of_its_own(text, expected):
    """A rule sticks to no text above it, blank line or none, unless that is a title."""
    assert kinds(text) == expected
    assert all(not unit.frame for unit in units(text) if unit.kind == "mark")


TABLES = [
    ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", [(1,), (0,), (0, 1), (0, 1)]),
    ("a | b\n--|--\n1 | 2\n", [(1,), (0,), (0, 1)]),
    ("|a|\n|:-:|\n|1|\n", [(1,), (0,), (0, 1)]),
    ("> |a|\n> |-|\n> |1|\n", [(1,), (0,), (0, 1)]),
    ("- x\n\n  |a|\n  |-|\n  |1|\n", [(), (0, 2), (0, 1), (0, 1, 2)]),
    ("| 1 | 2 |\n| 3 | 4 |\n", [(), ()]),
    ("2 |\n| 3 | 4 |\n", [(), ()]),
    ("|---|---|\n| 3 | 4 |\n", [(), ()]),
    ("Prices:\n| a | b |\n| 1 | 2 |\n", [(), (), (1,)]),
    ("| a | b |\n|---|---|\n", [(1,), (0,)]),
]


@pytest.mark.parametrize(("text", "expected"), TABLES, ids=[repr(case[0])[:20] for case in TABLES])
def test_a_row_needs_its_header_and_rule(text, expected):
    """A row of a table needs header and rule, these each other; rows that have lost their header need none."""
    assert [unit.frame for unit in units(text) if unit.kind != "prose" or not unit.frame] == expected


def test_a_short_fence_is_one_unit_and_a_long_one_is_cut_at_blank_lines():
    """Up to 12 lines of code stay whole; of more, each part needs both marks, which need each other."""
    short = "Run:\n\n```py\n" + "x = 1\n" * 12 + "```\n"
    assert kinds(short) == ["prose", "code"]
    long = "Run:\n\n~~~py\n" + ("x = 1\n" * 4 + "\n") * 3 + "~~~\n"
    assert [(kind, frame) for kind, frame, _ in shown(long)] == [
        ("prose", ()), ("mark", (5,)), *[("code", (1, 5))] * 3, ("mark", (1,)),
    ]  # fmt: skip
    quoted = "".join(f"> {line}\n" if line else ">\n" for line in long.splitlines()[2:])
    assert kinds(quoted) == ["mark", "code", "code", "code", "mark"]


def test_a_document_of_code_is_lines():
    """Where there is nothing but code, fenced, indented or bare, its lines are the units."""
    lines = ["import os\n", "def f(x):\n", "    return os.path.join(x)\n", "print(f(1))\n"]
    assert texts("".join(lines)) == lines
    assert kinds("".join(lines)) == ["code"] * 4
    assert shown("```py\n" + "".join(lines[:2]) + "```\n") == [
        ("mark", (3,), "```py\n"), ("code", (0, 3), lines[0]), ("code", (0, 3), lines[1]), ("mark", (0,), "```\n"),
    ]  # fmt: skip
    indented = ["    x = f(1)\n", "    y = g(x)\n"]
    assert texts("".join(indented)) == indented
    assert kinds("# Use it\n\n    x = f(1)\n\n    y = 2\n") == ["heading", "code"]


QUOTES = [
    ("> One. Two.\n", [("mark", (), "> "), ("prose", (0,), "One. "), ("prose", (0,), "Two.\n")]),
    ("> One.\n> Two.\n", [("prose", (), "> One.\n"), ("prose", (), "> Two.\n")]),
    ("> A b\n>\n> C d\n\nE\n", [("prose", (), "> A b\n>\n"), ("prose", (), "> C d\n\n"), ("prose", (), "E\n")]),
    ("> > One. Two.\n", [("mark", (), "> > "), ("prose", (0,), "One. "), ("prose", (0,), "Two.\n")]),
    ("> [!NOTE]\n> One.\n", [("mark", (), "> [!NOTE]\n"), ("prose", (0,), "> One.\n")]),
    (">\n> One.\n", [("prose", (), ">\n> One.\n")]),
    ("Say.\n> One.\n", [("prose", (), "Say.\n"), ("prose", (), "> One.\n")]),
    ("> One ends.\nThis is no quote.\n", [("prose", (), "> One ends.\n"), ("prose", (), "This is no quote.\n")]),
]


@pytest.mark.parametrize(("text", "expected"), QUOTES, ids=[repr(case[0])[:20] for case in QUOTES])
def test_a_quote_stays_a_quote(text, expected):
    """The marks of a quote stand before each unit that begins a line, or are a unit that all in their line need."""
    assert shown(text) == expected


LOST = [
    ("      and goes on. It ends.\n\n2. Next\n", ["prose", "prose", "item"]),
    ("    - b\n    - c\n- d\n", ["item", "item", "item"]),
    ("    > **Note**\n    >\n    > Mind the gap.\n", ["prose", "prose"]),
    ("    ```sh\n    ls\n    ```\n\n3. Next\n", ["code", "item"]),
    ("   b\n\n- c\n", ["prose", "item"]),
    ("    x = f(1)\n\nText here.\n", ["code", "prose"]),
]


@pytest.mark.parametrize(("text", "expected"), LOST, ids=[repr(case[0])[:20] for case in LOST])
def test_a_chunk_may_begin_inside_a_list(text, expected):
    """What is indented at the beginning of a chunk is read as it was in the item that is lost, unless it is code."""
    assert kinds(text) == expected


def test_what_is_indented_below_a_list_needs_what_lies_between():
    """Without the paragraph between, an indented block would become a part of the item above."""
    assert needs("- a\n\nRun it.\n\n    x = 1\n", "x =") == {"Run it."}
    assert needs("- a\n\nRun it.\n\n   - b\n", "b") == {"Run it."}
    assert needs("- a\n\n# Run\n\n    x = 1\n", "x =") == {"# Run"}
    assert needs("Run it.\n\n    x = 1\n", "x =") == set()


def test_a_line_that_would_begin_a_block_needs_its_paragraph():
    """`2.` in the middle of a paragraph is text, and a list without what stands above it."""
    text = "It was in the year\n2. It rained then.\n"
    assert needs(text, "2. It") == {"It was in the year"}


@settings(max_examples=100, deadline=None)
@given(text=pages())
def test_the_parser_sees_what_markdown_it_sees(text):
    """Blocks are those of markdown-it, one at a time, but that lines which begin afresh end a list or a quote."""
    whole = MarkdownIt("commonmark", {"maxNesting": DEEPEST}).enable("table").disable("reference")
    expected = [(token.type, token.map) for token in whole.parse(text) if token.level == 0 and token.map]
    lines = text.splitlines(keepends=True)
    parser = Parser(lines)
    parser._stops = []  # the rule that is ours
    found = []
    i = 0
    while i < len(lines):
        if not lines[i].strip():
            i += 1
            continue
        found += [(token.type, token.map) for token in parser.block(i, len(lines)) if token.level == 0 and token.map]
        i = parser.end
    assert found == expected


def test_a_deep_stack_is_no_trouble():
    """A caller who stands deep himself gets units, not a RecursionError."""

    def deep(levels: int) -> int:
        return deep(levels - 1) if levels else len(units("> " * 60 + "x\n\ny\n"))

    depth = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    assert deep(sys.getrecursionlimit() - depth - 110) >= 1

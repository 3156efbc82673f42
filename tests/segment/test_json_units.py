"""JSON and JSON lines: what parses parses however it is cut, and every value that is kept is the source's."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Callable
from pprint import pformat
from typing import Any

import pytest
from growth import LINEAR, grows, seconds
from hypothesis import given
from hypothesis import strategies as st
from reference_cut import check_tiling, closure, cut
from slices import part, tries

from secateurs.segment import units as units_of_text
from secateurs.segment.data import PYTHON, add_json, add_json_lines, json_end, json_lines_end
from secateurs.segment.units import LONGEST, Builder, Unit

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", '"', "\\", "\u2028", "😀", "a\nb", "他来了。", "\ud800", "\x00", "[{", "1,2", "]}"]),
    st.lists(
        st.sampled_from(
            ["The mill burned down. ", "Ann came! ", "他来了。", "A line\n", "x\n\n- y\n", "😀 ", '"No." ', "\\ "]
        ),
        min_size=10,
        max_size=90,
    ).map("".join),
)
SCALARS = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(st.one_of(st.sampled_from(["id", "title", "text", "x"]), TEXTS), inner, max_size=6),
    ),
    max_leaves=40,
)
ROOTS = st.one_of(st.lists(VALUES, max_size=8), st.dictionaries(TEXTS, VALUES, max_size=8))
LAYOUTS = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, 2, 4, "\t"]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
        "ensure_ascii": st.booleans(),
    }
)


def units_of(text: str, end: int | None = None) -> list[Unit]:
    build = Builder(text)
    add_json(build, len(text) if end is None else end, (), None)
    return check_tiling(build)


def is_part(cut_value: Any, value: Any, key: str = "") -> bool:
    """Tell whether a value holds nothing but what another holds, in its order; a long string may have lost parts."""
    if isinstance(value, dict):
        return isinstance(cut_value, dict) and all(
            name in value and is_part(one, value[name], name) for name, one in cut_value.items()
        )
    if isinstance(value, list):
        rest = iter(value)
        return isinstance(cut_value, list) and all(any(is_part(one, other) for other in rest) for one in cut_value)
    if isinstance(value, str) and len(json.dumps(key + value)) > 380:
        rest = iter(value)
        return isinstance(cut_value, str) and all(char in rest for char in cut_value)
    return type(cut_value) is type(value) and cut_value == value


@tries(150, 3)
@given(ROOTS, LAYOUTS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff", " \n"]), st.randoms())
def test_a_cut_parses(value: Any, layout: dict[str, Any], line_break: str, before: str, rng: random.Random) -> None:
    """Whatever units are kept, the output is JSON, and holds nothing that the source does not hold."""
    text = before + json.dumps(value, **layout).replace("\n", line_break)
    units = units_of(text)
    chosen = [i for i, unit in enumerate(units) if not unit.pure]
    for share in (0.05, 0.3, 0.8):
        kept = [i for i in chosen if rng.random() < share] or chosen[:1]
        output = cut(text, units, kept)
        assert is_part(json.loads(output.lstrip("\ufeff")), value), output
    assert cut(text, units, chosen) == text


@tries(80, 4)
@given(ROOTS, st.sampled_from([repr, pformat]), st.randoms())
def test_a_cut_of_what_python_prints_parses(value: Any, shown: Callable[[Any], str], rng: random.Random) -> None:
    """Whatever units of a printed value are kept, the output is a value of Python with nothing the source has not."""
    text = shown(value)
    build = Builder(text)
    add_json(build, len(text), (), None, grammar=PYTHON)
    units = check_tiling(build)
    chosen = [i for i, unit in enumerate(units) if not unit.pure]
    for share in (0.05, 0.5):
        kept = [i for i in chosen if rng.random() < share] or chosen[:1]
        output = cut(text, units, kept)
        assert is_part(ast.literal_eval(output), value), output
    assert cut(text, units, chosen) == text


PRINTED = "[(1, datetime.date(2024, 1, 2), Decimal('1.5')), {'by': \"Ann's\", 3: None, 'at': (1,), 'raw': b'x'}]"


@pytest.mark.parametrize(("before", "behind"), [("", ""), ("Found: ", "\n\nThat is all.\n"), ("It says:\n", "\n")])
def test_what_python_prints_is_cut_by_its_elements(before: str, behind: str) -> None:
    """A list that Python has printed, rows of a database among them, stays one, however few of its elements do."""
    text = before + PRINTED + behind
    found = units_of_text(text)
    row = next(i for i, unit in enumerate(found) if text[unit.start : unit.end].startswith("{'by'"))
    assert cut(text, found, [row]).strip() == "[{'by': \"Ann's\", 3: None, 'at': (1,), 'raw': b'x'}]"


@pytest.mark.parametrize(
    "text",
    ["x = ['a', 'b', 'cccccccccccccccccccccccccccccccccccccccc']\n", "['a', b]\n", "{'a', 'b'}\n", "['a' 1]\n"],
)
def test_what_python_does_not_print_is_none(text: str) -> None:
    """A line of a program, a name and a set are no printed value."""
    assert all(unit.kind not in ("member", "bracket") for unit in units_of_text(text))


@tries(60, 2)
@given(ROOTS, LAYOUTS)
def test_a_member_alone_keeps_its_path(value: Any, layout: dict[str, Any]) -> None:
    """A unit that is kept alone brings its brackets and nothing of its siblings, unless one names the object."""
    text = json.dumps(value, **layout)
    units = units_of(text)
    for index, unit in enumerate(units):
        if not unit.pure:
            with_it = [units[i] for i in closure(units, [index]) if i != index]
            assert all(one.pure or one.end - one.start <= 250 or one.end - one.start > LONGEST for one in with_it)


@tries(150, 3)
@given(
    st.one_of(ROOTS.map(json.dumps), st.text(alphabet='[]{}",:\\ 1eE.-ntu\n')),
    st.integers(0, 30),
    st.text(max_size=2),
)
def test_it_takes_what_python_takes(text: str, at: int, change: str) -> None:
    """A value ends where json.loads says, and where json.loads refuses it there is none."""
    text = text[:at] + change + text[at + 1 :]
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        value, end = None, None
    assert json_end(text, 0) == (end if isinstance(value, (dict, list)) else None)


@pytest.mark.parametrize(
    "text", ["[NaN]", "[-Infinity, Infinity]", "[" + "9" * 5000 + "]", "[ ]", '{"a" : {}}', "[1] x"]
)
def test_what_begins_as_a_value(text: str) -> None:
    """Literals that only Python knows and integers of any size are values; what stands behind does not matter."""
    assert json_end(text, 0) == text.rindex("]" if text[0] == "[" else "}") + 1


@pytest.mark.parametrize(
    "text", ["", "1", '"a"', "[", "[1", "[1,]", "{1: 2}", "[01]", "['a']", '["\n"]', '["\\x"]', "[tru]"]
)
def test_what_is_no_value(text: str) -> None:
    """Scalars, torn values and what json.loads refuses end nowhere."""
    assert json_end(text, 0) is None


def test_elements_and_members() -> None:
    """A short element is a unit, a long object is cut by its members, a long string in sentences."""
    long = "The mill was built in 1842. It burned down twice.\n\nNobody knows why. " * 8
    text = json.dumps(
        {"n": 1, "rows": [{"id": i, "x": "y" * 200} for i in range(3)], "log": {"url": "u", "text": long}}
    )
    units = units_of(text)
    shown = [text[unit.start : unit.end] for unit in units]
    assert shown[:3] == ["{", '"n": 1, ', '"rows": [']
    assert [one[:9] for one in shown[3:6]] == [f'{{"id": {i},' for i in range(3)]
    assert shown[6:10] == ["], ", '"log": {', '"url": "u", ', '"text": "']
    assert shown[10:13] == ["The mill was built in 1842. ", "It burned down twice.", "\\n\\n"]
    assert shown[-4:] == ["Nobody knows why. ", '"', "}", "}"]
    answer = next(i for i, one in enumerate(shown) if one.startswith("Nobody"))
    assert json.loads(cut(text, units, [answer])) == {"log": {"url": "u", "text": "\n\nNobody knows why. "}}


def test_containers_that_hold_one_share_a_bracket() -> None:
    """Brackets that open nothing but each other are one unit, and so are those that close them."""
    text = json.dumps({"data": {"items": [{"id": 1, "x": "a" * 340}, {"id": 2, "x": "b" * 340}]}}, indent=2)
    shown = [text[unit.start : unit.end] for unit in units_of(text)]
    assert shown[0] == '{\n  "data": {\n    "items": [\n' and shown[-1] == "    ]\n  }\n}" and len(shown) == 4


def test_a_name_comes_along() -> None:
    """The member that names an object that is cut is frame of the others, those before it too."""
    rows = [{"x": i, "id": f"r{i}", "a": "p" * 300, "b": {"c": ["q" * 150] * 4}} for i in range(2)]
    text = json.dumps(rows)
    units = units_of(text)
    index = next(i for i, unit in enumerate(units) if "qqq" in text[unit.start : unit.end])
    assert json.loads(cut(text, units, [index])) == [{"id": "r0", "b": {"c": ["q" * 150]}}]
    index = next(i for i, unit in enumerate(units) if '"x": 1' in text[unit.start : unit.end])
    assert json.loads(cut(text, units, [index])) == [{"x": 1, "id": "r1"}]


def test_no_cut_inside_an_escape() -> None:
    """Sentences of a string end before or behind an escape, never in it, and the string says what its parts say."""
    said = (
        "He said no. \\u4ed6\\u6765\\u4e86\\u3002 \\ud83d\\ude00\\ud83d\\ude00! She left\\t. C:\\\\new is gone.\\n"
        * 12
    )
    text = f'["{said}"]'
    units = units_of(text)
    assert len(units) > 40
    for unit in units:
        if not unit.pure:
            assert json.loads(f'"{text[unit.start : unit.end]}"') in json.loads(text)[0]


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ('{"a": 1}\n{"a": 2}\n', 2),
        ('{"a": 1}\n\n{"a": 2}\nand so on\n', 3),
        ('{"a": "x\u2028y"}\n[1, 2]', 3),
        ('\ufeff{"a": 1}\r\n{"a": 2}\r\n', 2),
        ('{"a": 1}\n', 0),
        ("[1]\n[2]\n", 0),
        ('{"a": 1}, {"a": 2}\n{"a": 3}\n', 0),
        ("\n\n", 0),
    ],
)
def test_where_json_lines_end(text: str, until: int) -> None:
    """Two or more lines that are one object or array each are JSON lines; footnotes and a single one are not."""
    assert json_lines_end(text.splitlines(keepends=True), 0) == until


@tries(60, 3)
@given(
    st.lists(st.dictionaries(st.sampled_from(["id", "text", "x", "y"]), VALUES, min_size=1), min_size=2), st.randoms()
)
def test_cut_json_lines_parse(values: list[dict[str, Any]], rng: random.Random) -> None:
    """Every line that is left of JSON lines is one value, and part of the one that stood there."""
    text = "\n".join(json.dumps(value, ensure_ascii=rng.random() < 0.5) for value in values)
    lines = text.splitlines(keepends=True)
    assert json_lines_end(lines, 0) == len(lines)
    build = Builder(text)
    add_json_lines(build, lines, (), None)
    units = check_tiling(build)
    kept = [i for i, unit in enumerate(units) if not unit.pure and rng.random() < 0.4]
    output = [json.loads(line) for line in cut(text, units, kept).split("\n") if line.strip()]
    assert is_part(output, values)


def test_levels_without_end() -> None:
    """Ten thousand levels are cut like any other, and too many of them are no value; nothing is recursive."""
    deep = '{"a":[0,' * 5_000 + "1" + "]}" * 5_000
    units = units_of(deep)
    index = next(i for i, unit in enumerate(units) if deep[unit.start : unit.end].startswith("0") and i > 400)
    assert cut(deep, units, [index]).startswith('{"a":[{"a":[')
    assert json_end("[" * 10_000 + "]" * 10_000, 0) == 20_000
    assert json_end("[" * 10_000_000, 0) is None
    assert len(units_of("[" * 10_000 + "1" + "]" * 10_000)) == 3


@pytest.mark.sliced
@pytest.mark.parametrize("pattern", ["[\n", '{"a":\n', "[1,\n", '["a\\n. B. ",\n', "[[1],\n"])
def test_trying_every_line_is_linear(pattern: str) -> None:
    """Asking at every line of a text that opens what it never closes costs no square."""

    def work(text: str) -> None:
        dead: list[int] = []
        for start in range(0, len(text), len(pattern)):
            json_end(text, start, dead)

    assert grows(work, pattern, part(400_000)) <= LINEAR


def test_lines_that_never_break_are_linear() -> None:
    """Pieces that only form feeds divide are one line, and are read once."""

    def work(text: str) -> None:
        lines = text.splitlines(keepends=True)
        for i in range(len(lines)):
            json_lines_end(lines, i)

    assert grows(work, "{\f", 80_000) <= LINEAR


@pytest.mark.sliced
@pytest.mark.parametrize(
    "pattern",
    [
        "1,",
        '"a",',
        '{"id":1,"x":[2]},',
        '"\\\\\\"",',
        '{"a":{"b":["' + "x. Y. " * 90 + '"]}},',
        "[" * 50 + "0,0" + "]" * 50 + ",",
    ],
)
def test_time_is_linear(pattern: str) -> None:
    """Units of a value take time in proportion to its length."""

    def work(text: str) -> None:
        whole = f"[{text}0]"
        build = Builder(whole)
        add_json(build, len(whole), (), None)
        build.units()

    assert grows(work, pattern, part(200_000)) <= LINEAR


@pytest.mark.sliced
def test_one_long_string_is_linear() -> None:
    """A string of a million escapes is decoded and cut in one go."""
    assert grows(lambda text: units_of(f'["{text}"]'), "\\u4ed6\\u6765\\n\\ud83d\\ude00. ", part(400_000)) <= LINEAR
    assert seconds(lambda: units_of('["' + "a" * 2_000_000 + '"]'), 1, most=2) <= 2

"""Laws of units and their frames, over generated Markdown and over any text."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from pages import WORD, closure, cut, pages, see
from test_segment import ANY_TEXT, MARKS

from secateurs.result.join import Parts
from secateurs.segment import segment, units
from secateurs.segment.units import LONGEST


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT | MARKS | pages())
def test_units_tile_any_text(text):
    """Units tile the text, in order; each needs only others, and `segment` gives their spans."""
    found = units(text)
    assert "".join(text[unit.start : unit.end] for unit in found) == text
    assert [unit.start for unit in found] == [0, *(unit.end for unit in found)][: len(found)]
    for index, unit in enumerate(found):
        assert unit.end > unit.start
        assert all(0 <= other < len(found) and other != index for other in unit.frame)
        assert len(set(unit.frame)) == len(unit.frame)
    assert segment(text) == [(unit.start, unit.end) for unit in found]


@settings(max_examples=200, deadline=None)
@given(text=ANY_TEXT | MARKS | pages())
def test_white_space_belongs_to_lines(text):
    """White space up to the last line break belongs to the unit before, indentation behind it to the unit after."""
    for unit in units(text)[1:]:
        before = text[: unit.start]
        piece = text[unit.start : unit.end]
        indent = piece[: len(piece) - len(piece.lstrip())]
        assert "\n" not in indent
        assert not indent or before[-1] in "\n\r"


@settings(max_examples=150, deadline=None)
@given(text=pages(), data=st.data())
def test_what_stays_is_where_it_was(text, data):
    """Whatever units are kept, with their frames: items keep their ancestors, rows their header, code its fence.

    CommonMark is asked, on the page and on what is left of it.
    """
    found = units(text)
    scored = [index for index, unit in enumerate(found) if not unit.pure]
    wanted = data.draw(st.lists(st.sampled_from(scored), min_size=1, max_size=4)) if scored else []
    kept = closure(found, wanted)
    left = cut(text, found, kept)
    before, after = see(text), see(left)
    for word in WORD.findall(left):
        assert after.items.get(word) == before.items.get(word), (word, text, left)
        assert after.under[word] == before.under[word], (word, text, left)
        assert (word in after.code) == (word in before.code), (word, text, left)
    headers = {row: rows[0] for rows in before.rows for row in rows[1:]}
    for rows in after.rows:
        assert all(headers[row] == rows[0] for row in rows[1:]), (text, left)


@settings(max_examples=100, deadline=None)
@given(text=pages(), data=st.data())
def test_removal_moves_no_line(text, data):
    """A line that stays whole stays at its indentation."""
    found = units(text)
    wanted = data.draw(st.lists(st.integers(0, len(found) - 1), min_size=1, max_size=4)) if found else []
    left = cut(text, found, closure(found, wanted))
    lines = {line.rstrip() for line in text.splitlines()}
    starts = {line.strip(): line.rstrip() for line in text.splitlines()}
    for line in left.splitlines():
        assert line.rstrip() in lines or line.strip() not in starts, (text, left)


@settings(max_examples=60, deadline=None)
@given(text=pages())
def test_frames_reach_what_is_above(text):
    """Each unit under a heading needs it; a nested item needs all the text of the items it is nested in."""
    found = units(text)
    assert all(unit.end - unit.start <= LONGEST for unit in found)
    seen = see(text)
    for index, unit in enumerate(found):
        needs = " ".join(text[found[n].start : found[n].end] for n in closure(found, [index]))
        for word in WORD.findall(text[unit.start : unit.end]):
            for above in (*seen.under.get(word, ()), *seen.items.get(word, ())):
                total = len(re.findall(rf"\b{above}\b", text))
                assert len(re.findall(rf"\b{above}\b", needs)) == total or above == word, (text, word)


def test_a_long_record_of_json_lines_is_cut_by_its_members():
    """JSON lines alone are no records of plain text: a long line is cut by its members and stays one that parses."""
    lines = [json.dumps({"id": number, "said": "Oil leaks. " * 50, "by": "Ann"}) for number in range(3)]
    text = "\n".join(lines) + "\n"
    parts = Parts(text, tuple(units(text)))
    chosen = next(i for i, unit in enumerate(parts.units) if text[unit.start : unit.end].strip().startswith('"by"'))
    assert json.loads(parts.text(parts.closure([chosen]))) == {"id": 0, "by": "Ann"}

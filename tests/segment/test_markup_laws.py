"""The laws of markup over pages made at random: tiling, balance, ancestors, and what is hidden."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from markup_pages import Reader, kept, pages, text_of, units
from slices import tries

from secateurs.segment.units import LONGEST

_SLOW = tries(100, 2, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def _some(cut):
    """Choose some units that are scored: few, or about half of them."""
    scored = [index for index, unit in enumerate(cut) if not unit.pure]
    if not scored:
        return st.just([])
    half = st.lists(st.booleans(), min_size=len(scored), max_size=len(scored)).map(
        lambda flags: [index for index, flag in zip(scored, flags, strict=True) if flag]
    )
    return st.one_of(st.lists(st.sampled_from(scored), min_size=1, max_size=2), half)


@_SLOW
@given(pages())
def test_units_tile_the_page(text):
    """Units tile a page without gap or overlap, and none is longer than a unit may be."""
    cut = units(text)
    assert "".join(text[unit.start : unit.end] for unit in cut) == text
    assert all(unit.start < unit.end for unit in cut)
    assert all(unit.end - unit.start <= LONGEST + 200 for unit in cut)
    assert all(0 <= index < len(cut) for unit in cut for index in unit.frame)


@_SLOW
@given(pages(), st.data())
def test_what_is_left_is_balanced(text, data):
    """Whatever units are kept: with their frames every element is opened and closed as it was."""
    assert not Reader(text).faults
    cut = units(text)
    chosen = data.draw(_some(cut))
    left = text_of(text, cut, chosen)
    assert not Reader(left).faults, left


@_SLOW
@given(pages(), st.data())
def test_kept_text_keeps_its_ancestors(text, data):
    """Every word that is left stands in the same elements, attributes included, in the same order."""
    cut = units(text)
    chosen = data.draw(_some(cut))
    left = text_of(text, cut, chosen)
    before, after = Reader(text).paths, Reader(left).paths
    for word, path in after.items():
        assert path == before[word], left


@_SLOW
@given(pages())
def test_hidden_text_is_never_kept(text):
    """What nobody sees is in no unit that is scored, and no such unit needs it."""
    cut = units(text)
    left = text_of(text, cut, [index for index, unit in enumerate(cut) if not unit.pure])
    assert not re.search(r"h\d+x", left)
    scored = "".join(text[unit.start : unit.end] for unit in cut if not unit.pure)
    seen = re.sub(r"(?s)<!--.*?-->|<script.*?</script>", "", text)
    assert set(re.findall(r"w\d+x", scored)) == set(re.findall(r"w\d+x", seen))


@_SLOW
@given(pages())
def test_rows_keep_cells_and_header(text):
    """A row that is kept keeps all its cells and the table's header row."""
    cut = units(text)
    for index, unit in enumerate(cut):
        if unit.kind == "row":
            left = "".join(text[cut[i].start : cut[i].end] for i in kept(cut, [index]))
            row = re.search(r"<tr>(?:(?!<tr>).)*$", left[: left.rindex("</table>")], re.DOTALL)
            assert row is not None
            assert len(re.findall("<t[dh]>", row[0])) == 2
            assert "<th>" in left or "<th>" not in text


@_SLOW
@given(pages(), st.data())
def test_pieces_of_a_page_get_no_worse(text, data):
    """Of a chunk that begins and ends anywhere nothing is left that is less balanced than the chunk itself."""
    borders = [0, *(match.end() for match in re.finditer(r">|\s", text)), len(text)]
    start, end = sorted(data.draw(st.tuples(st.sampled_from(borders), st.sampled_from(borders))))
    chunk = text[start:end]
    cut = units(chunk)
    assert "".join(chunk[unit.start : unit.end] for unit in cut) == chunk
    out = text_of(chunk, cut, data.draw(_some(cut)))
    assert len(Reader(out).faults) <= len(Reader(chunk).faults), out

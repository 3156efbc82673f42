"""Units put together: what stands between two, where a text's parts stand, up to which threshold each stays."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structured import ALL

from secateurs import Compression, Savings, Sentence, Threshold
from secateurs.result.join import Joint, Parts, Slice
from secateurs.segment import units
from secateurs.segment.units import Unit

DOCUMENTS = [*ALL, "One. Two.\n\nThree. Four.\n", "a: 1\nb:\n  c: 2\n", "> One. Two.\n>\n> Three.\n", "---\n"]
PARTS = [Parts(text, tuple(units(text)), mark) for text in DOCUMENTS for mark in (None, "[…]")]

some_parts = st.sampled_from(PARTS)


def flags_of(parts: Parts, draw: st.DataObject) -> list[bool]:
    """Some units with what they need."""
    return parts.closure(index for index in parts.choices if draw.draw(st.booleans()))


@given(some_parts, st.data())
def test_a_text_is_made_of_joints(parts, data):
    """A text is the units that stay, each from where one joint says it begins to where the next says it ends."""
    flags = flags_of(parts, data)
    kept = [index for index, flag in enumerate(flags) if flag]
    if 0 < len(kept) < len(flags):
        joints = [parts.joint(*pair) for pair in pairwise([-1, *kept, len(flags)])]
        pieces = [one.between + parts.original[one.start : two.stop] for one, two in pairwise(joints)]
        assert parts.text(flags) == "".join([*pieces, joints[-1].between])


@given(some_parts, st.data())
def test_slices_say_where_the_document_stands_in_a_text(parts, data):
    """Every slice stands in the text where it says; they are in order, and no two could be one."""
    flags = flags_of(parts, data)
    text, slices = parts.text(flags), parts.slices(flags)
    for start, end, at in slices:
        assert start < end
        assert parts.original[start:end] == text[at : at + end - start]
    for one, two in pairwise(slices):
        assert one.end <= two.start
        assert one.at + one.end - one.start <= two.at
        assert one.end < two.start or one.at + one.end - one.start < two.at


@given(some_parts, st.data())
def test_levels_say_up_to_which_threshold_a_unit_stays(parts, data):
    """At every threshold the units that stay are those whose level reaches it."""
    grades = st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9])
    scores = [0.0 if unit.pure else data.draw(grades) for unit in parts.units]
    levels = parts.levels(scores)
    for threshold in (0.0, 0.1, 0.2, 0.5, 0.7, 0.9, 1.0):
        chosen = [index for index in parts.choices if scores[index] >= threshold]
        assert [level >= threshold for level in levels] == parts.closure(chosen)


@given(some_parts)
def test_no_joint_reaches_into_a_core(parts):
    """Whatever goes before and behind a unit, its core stays."""
    many = len(parts.units)
    cores = [parts.core(index) for index in range(many)]
    for before in range(-1, many):
        for after in range(before + 1, many + 1):
            if (before, after) != (-1, many):
                joint = parts.joint(before, after)
                assert before < 0 or cores[before].end <= joint.stop
                assert after == many or joint.start <= cores[after].start


def test_a_document_that_is_frame_alone_may_be_chosen_from(tiny):
    """A rule alone is kept at the threshold 0, as everything is, and dropped above: nothing in it is relevant."""
    rule = Parts("---\n", tuple(units("---\n")))
    assert rule.units[0].pure
    assert rule.choices == [0]
    assert rule.levels([0.0]) == [0.0]
    assert tiny.compress("Who?", ["---\n"], policy=Threshold(0.0))[0].status == "unchanged"
    assert tiny.compress("Who?", ["---\n"], policy=Threshold(0.5))[0].status == "dropped"


def test_a_trailing_comma_goes_with_what_it_divided():
    """In JSON the comma of the last that stays goes; one that something follows stays."""
    text = "[1, 2, 3]"
    some = Parts(text, tuple(units(text)))
    first, second, last = (index for index, unit in enumerate(some.units) if not unit.pure)
    assert some.text(some.closure([first])) == "[1]"
    assert some.text(some.closure([first, second])) == "[1, 2]"
    assert some.text(some.closure([second, last])) == "[2, 3]"


def test_a_result_says_where_its_text_stands():
    """A result without units, too, has slices where its text is made of whole ranges; else it has none."""
    sentences = (
        Sentence(0, 5, "One. ", 0.9, True),
        Sentence(5, 10, "Two. ", 0.1, False),
        Sentence(10, 14, "Six.", 0.9, True),
    )
    made = Compression("One. Six.", "One. Two. Six.", sentences, Savings(6, 4), "compressed")
    assert made.slices == (Slice(0, 5, 0), Slice(10, 14, 5))
    assert made.with_parts(Parts(made.original, tuple(Unit(s.start, s.end) for s in sentences))).slices == (
        Slice(0, 4, 0),
        Slice(10, 14, 5),
    )
    assert Compression("One.", "One. Two. Six.", sentences, Savings(6, 4), "compressed").slices == ()
    assert Compression("", "One.", (), Savings(2, 0), "dropped").slices == ()


@pytest.mark.parametrize(("before", "after"), [(-1, 1), (0, 2), (2, 4)])
def test_a_joint_is_the_strongest_white_space_of_its_gap(before, after):
    """A paragraph break that something was cut at stays one; the end of a text has none."""
    parts = Parts("One. Two.\n\nThree. Four.", tuple(units("One. Two.\n\nThree. Four.")))
    expected = {(-1, 1): Joint(0, "", 5), (0, 2): Joint(4, "\n\n", 11), (2, 4): Joint(17, "", 23)}
    assert parts.joint(before, after) == expected[before, after]

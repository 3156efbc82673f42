"""What stands under a first line: notes, meanings, admonitions, containers; bullets in bullets; formulas."""

from __future__ import annotations

import pytest
from shown import kinds

from secateurs.result.join import Parts
from secateurs.segment import units

LONG = "A long note goes here now. " * 10


def kept(text: str, *pieces: str) -> str:
    """Return the text of the units that hold some pieces, and of what these need."""
    parts = Parts(text, tuple(units(text)))
    chosen = (
        next(i for i, unit in enumerate(parts.units) if piece in text[unit.start : unit.end]) for piece in pieces
    )
    return parts.text(parts.closure(chosen)).rstrip("\n")


NOTES = {
    "a note": (
        "Built.[^1] Burned.\n\n[^1]: In 1842.\n    By Ann.\n\n    And by Bob.\n\nAfter.\n",
        {"And by": "[^1]: In 1842.\n    By Ann.\n\n    And by Bob.", "After": "After."},
    ),
    "a long note": (f"[^a]: {LONG}\n\n    It ends here. Yes.\n\nAfter.\n", {"Yes": "[^a]: Yes.", "After": "After."}),
    "a meaning": (
        "Oil\n: Keeps it going. Cheap.\n\nGas\nPetrol\n\n:   Burns.\n:   Smells.\n\n    So beware.\n\nAfter.\n",
        {"Keeps": "Oil\n: Keeps it going. Cheap.", "So": "Gas\nPetrol\n\n:   Smells.\n\n    So beware.",
         "After": "After."},
    ),
    "a meaning without its term": (": Keeps it going.\n\nAfter.\n", {"Keeps": ": Keeps it going."}),
    "an admonition": (
        '!!! warning "Acid"\n    Never mix. It explodes.\n\n    Short one.\n\n    - a\n    - b\n\nAfter.\n',
        {"explodes": '!!! warning "Acid"\n    It explodes.', "Short": '!!! warning "Acid"\n    Short one.',
         "- b": '!!! warning "Acid"\n    - b', "After": "After."},
    ),
    "a directive": (
        ".. warning::\n\n   Never mix. It explodes.\n\n.. code-block:: python\n\n   x = 1\n\nAfter.\n",
        {"explodes": ".. warning::\n\n   It explodes.", "x = 1": ".. code-block:: python\n\n   x = 1",
         "After": "After."},
    ),
    "a container": (
        ":::warning\nNever mix. It explodes.\n\n- a\n- b\n:::\n\nAfter.\n",
        {"explodes": ":::warning\nIt explodes.\n:::", "- a": ":::warning\n- a\n:::", "After": "After."},
    ),
    "a container in a container": (
        "::::tabs\n:::note\nOne. Two.\n:::\nThree.\n::::\nAfter.\n",
        {"Two": "::::tabs\n:::note\nTwo.\n:::\n::::", "Three": "::::tabs\nThree.\n::::", "After": "After."},
    ),
    "a container that ends nowhere": (":::note\nOne. Two.\n", {"Two": ":::note\nTwo."}),
    "the end of a container": ("One. Two.\n:::\nAfter.\n", {"Two": "Two."}),
    "a formula": (
        "So:\n$$\na = b\n- c\n\n+ d\n$$\nwhere a is b.\n",
        {"+ d": "$$\na = b\n- c\n\n+ d\n$$", "where": "where a is b."},
    ),
    "bullets that have lost their indentation": (
        "• Apples\n◦ red\n◦ green\n• Pears\n◦ yellow\n",
        {"green": "• Apples\n◦ green", "yellow": "• Pears\n◦ yellow", "Pears": "• Pears"},
    ),
    "numbers that begin anew": (
        "1、甲项目如下。\n（1）东门。\n（2）西门。\n2、乙项目。\n① 南门。\n② 北门。\n",
        {"西门": "1、甲项目如下。\n（2）西门。", "北门": "2、乙项目。\n② 北门。", "乙": "2、乙项目。"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NOTES.values(), ids=NOTES.keys())
def test_what_stands_under_a_first_line_needs_it(text, expected):
    """A part of a note, a meaning, a warning or an inner list comes with what says so, and with its end."""
    for piece, output in expected.items():
        assert kept(text, piece) == output


LINKS = "Read [the guide][g]. Or [not].\n\n- See [Other  Text][].\n- See [g](x).\n\n## Links\n\n"
DEFINED = '[g]: https://g.example "G"\n[other text]: <https://o.example>\n[none]: this is no link\n'


@pytest.mark.parametrize(
    ("piece", "output"),
    {
        "Read": 'Read [the guide][g].\n\n[g]: https://g.example "G"',
        "Or": "Or [not].",
        "Other": "- See [Other  Text][].\n\n[other text]: <https://o.example>",
        "(x)": "- See [g](x).",
    }.items(),
)
def test_a_link_needs_its_definition(piece, output):
    """A link by reference comes with the line that says where it goes, other links do not."""
    assert kept(LINKS + DEFINED, piece) == output


@pytest.mark.parametrize(
    "text",
    [
        "Bob wrote:\n\n> > Yes. No.\n",
        "- a\n\n:::note\n  - b\n",
        "- a\n\nTerm\n\n  : It is.\n",
        "- a\n\nBob:\n\n  > It is.\n",
    ],
)
def test_nothing_is_needed_twice(text):
    """A frame names each unit once, though there be two reasons for it."""
    for index, unit in enumerate(units(text)):
        assert len(set(unit.frame)) == len(unit.frame)
        assert index not in unit.frame


def test_a_container_ends_where_it_ended():
    """Where text in a container and text behind it stay, the mark between them does, too."""
    text = ":::note\nOne. Two. Three.\n:::\n\nAfter. Last.\n"
    assert kept(text, "One", "After") == ":::note\nOne.\n:::\n\nAfter."


@pytest.mark.parametrize(
    "text",
    ["Is it open? Yes.\nNo :) it is not.\n", "Price: 5.\n\nTerms: none.\n", "It costs $$ and\nmore $$ than that.\n"],
)
def test_what_only_looks_so_is_prose(text):
    """A colon or a dollar inside a line begins nothing."""
    assert set(kinds(text)) <= {"prose", "record"}

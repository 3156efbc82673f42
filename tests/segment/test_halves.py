"""Chunks that begin or end inside a code fence: what is code there and what is prose."""

from __future__ import annotations

import pytest
from shown import shown

from secateurs.segment import units

PROSE = "Ann built it. It burned.\n\nBob ran it. He left."
BELOW = [("prose", "Ann built it. "), ("prose", "It burned.\n\n"), ("prose", "Bob ran it. "), ("prose", "He left.")]
TEXT = [
    ("prose", "Ann built it. "),
    ("prose", "It burned.\n\n"),
    ("prose", "Bob ran it. "),
    ("prose", "He left.\n\n"),
]

CASES = {
    "closing mark of a block that the chunk began in": (f"x = 1\n```\n{PROSE}", [("code", "x = 1\n```\n"), *BELOW]),
    "the same, indented": (f"    return x\n```\n\n{PROSE}", [("code", "    return x\n```\n\n"), *BELOW]),
    "the same with tildes": (f"f(x)\n~~~\n{PROSE}", [("code", "f(x)\n~~~\n"), *BELOW]),
    "blank lines in the code": (
        f"x = f(1)\n\ny = 2\n```\n\n{PROSE}",
        [("code", "x = f(1)\n\ny = 2\n```\n\n"), *BELOW],
    ),
    "a mark alone": (f"```\n{PROSE}", [("mark", "```\n"), *BELOW]),
    "a block behind it": (
        f"x = 1\n```\n{PROSE}\n\n```py\ny = 2\n```\n",
        [("code", "x = 1\n```\n"), *TEXT, ("code", "```py\ny = 2\n```\n")],
    ),
    "a block that is never closed": (f"```python\nx = 1\n\n{PROSE}", [("code", "```python\nx = 1\n\n"), *BELOW]),
    "the same, without a language": (
        f"{PROSE}\n\n```\nx = f(1)\ny = f(2)\n",
        [*TEXT, ("code", "```\nx = f(1)\ny = f(2)\n")],
    ),
    "the same in an item": (
        "- Run it:\n\n  ```sh\n  pip install x\n",
        [("item", "- Run it:\n\n"), ("code", "  ```sh\n  pip install x\n")],
    ),
    "a mark at the end": (f"{PROSE}\n\n```sh\n", [*TEXT, ("mark", "```sh\n")]),
    "cut inside at both ends": (
        f"x = f(1)\n```\n\n{PROSE}\n\n```\ny = g(2)\n",
        [("code", "x = f(1)\n```\n\n"), *TEXT, ("code", "```\ny = g(2)\n")],
    ),
    "an opening mark inside a block": (
        f"```py\nx = 1\n\n{PROSE}\n\n```py\ny = 2\n```\n",
        [("code", "```py\nx = 1\n\n"), *TEXT, ("code", "```py\ny = 2\n```\n")],
    ),
    "three marks, the first lost its other half": (
        f"x = f(1)\n```\n{PROSE}\n\n```\ny = g(2)\n```\n",
        [("code", "x = f(1)\n```\n"), *TEXT, ("code", "```\ny = g(2)\n```\n")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_half_a_fence_swallows_nothing(text, expected):
    """Code that has lost a mark is code, the prose beside it is prose."""
    assert [(kind, piece) for kind, _, piece in shown(text)] == expected


WHOLE = [
    f"```py\nx = 1\n```\n\n{PROSE}",
    f"{PROSE}\n\n```\nAnn built it, and it burned down twice.\n```\n",
    f"````md\n```py\nx = 1\n```\n````\n\n{PROSE}",
    f"~~~\n```\n~~~\n\n{PROSE}",
    f"- a\n\n  ```\n  x\n  ```\n\n{PROSE}",
]


@pytest.mark.parametrize("text", WHOLE)
def test_whole_fences_are_left_alone(text):
    """Where every fence is closed CommonMark is right, whatever the code looks like."""
    assert [kind for kind, _, _ in shown(text)].count("code") == 1


def test_code_that_has_lost_its_opening_mark_needs_the_other():
    """Of more than 12 lines each part needs the closing mark, which needs nothing."""
    code = "".join(f"x{n} = f({n})\n" + "\n" * (n % 5 == 4) for n in range(15))
    text = f"{code}```\n{PROSE}"
    found = units(text)
    mark = next(index for index, unit in enumerate(found) if text[unit.start : unit.end].startswith("```"))
    assert mark == 3
    assert found[mark].kind == "mark"
    assert found[mark].frame == ()
    assert all(unit.frame == (mark,) for unit in found[:mark])
    assert all(unit.frame == () for unit in found[mark + 1 :])

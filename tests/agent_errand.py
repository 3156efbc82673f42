"""An errand for an agent of any framework: tools with long outputs, and what it needs of each."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

QUESTION = "Why does the import of the flour prices fail, and in which file is it read?"

LISTING = "".join(
    f"-rw-r--r-- 1 ann ann {900 + 37 * n:>6} Jan {n % 28 + 1:>2} 10:{n % 60:02d} src/mill/part_{n}.py\n"
    for n in range(90)
)
LISTING += "-rw-r--r-- 1 ann ann   2110 Jan  7 10:12 src/mill/flour_prices.py\n" + LISTING
LOG = "".join(f"tests/test_part_{n}.py::test_turns PASSED                 [{n % 100:>3}%]\n" for n in range(150))
LOG += (
    "tests/test_flour.py::test_import FAILED                 [ 99%]\n"
    "=================================== FAILURES ===================================\n"
    "_________________________________ test_import __________________________________\n"
    "    def test_import():\n"
    ">       assert read_prices('flour.csv')['rye'] == 12\n"
    "E       ValueError: could not convert string to float: '12,50'\n"
    "src/mill/flour_prices.py:41: ValueError\n"
    "=========================== short test summary info ============================\n"
    "FAILED tests/test_flour.py::test_import - ValueError: could not convert string to float: '12,50'\n"
    "======================== 1 failed, 150 passed in 4.31s =========================\n"
)
ROWS = json.dumps(
    [{"id": n, "grain": f"grain {n}", "price": n + 0.5, "note": "swept and dry"} for n in range(70)]
    + [{"id": 70, "grain": "rye", "price": "12,50", "note": "typed by hand, with a decimal comma"}]
)


@dataclass(frozen=True)
class Step:
    """A tool call of the errand: what the model says and calls, and what it has to read then."""

    says: str
    tool: str
    arguments: dict[str, Any]
    needs: str
    output: str


STEPS = (
    Step(
        "I look for the file.", "list_files", {"folder": "src/mill", "pattern": "flour"}, "flour_prices.py", LISTING
    ),
    Step("I run the tests.", "run", {"command": "pytest -v"}, "could not convert string to float: '12,50'", LOG),
    Step("I look at the price of rye.", "fetch", {"path": "/prices", "grain": "rye"}, "12,50", ROWS),
)


@dataclass
class Seeker:
    """Knows its errand: calls one tool after the other, and asks for the whole where what it needs is missing.

    Attributes:
        expanded: How often it asked for the whole.
    """

    at: int = -1
    expanded: int = 0
    calls: int = field(default=0)

    def next(self, read: str) -> tuple[str, str, dict[str, Any]] | None:
        """Return what it says, the tool it calls and the arguments, having read a result; None where it is done."""
        handle = re.search(r'handle=\\?"(\w+)\\?"', read)
        if self.at >= 0 and STEPS[self.at].needs not in read and handle is not None:
            self.expanded += 1
            return "It is not in there.", "expand_tool_result", {"handle": handle[1]}
        self.at += 1
        if self.at == len(STEPS):
            return None
        step = STEPS[self.at]
        return step.says, step.tool, step.arguments


def stable(requests: Sequence[Sequence[bytes]]) -> bool:
    """Return whether each request begins with the bytes of the one before it."""
    return all(list(after[: len(before)]) == list(before) for before, after in pairwise(requests))

"""What a tool's result was asked for: the query of one tool call is rarely the user's question; no framework.

An argument that is named as a query wins and stands alone. Else the arguments of the call, what the model said when
it made it, and the user's question are asked together, in that order of weight, as far as they are there: each is a
query of its own, scored in the same pass, and a unit's score is the best of them, each multiplied by its weight.

    look(query="deer")                                 "deer"
    grep(pattern="def load", path="src/a.py")          "pattern: def load, path: src/a.py", weight 1
    "Let me find where the loader opens the file."     weight 0.9
    "Why does my test fail on Windows?"                weight 0.8

Of a compressor that takes one query, as one behind a service does, the user's question is asked alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

QUERY_ARGUMENTS = ("query", "question", "search_query", "q")  # names of arguments that hold a query
WEIGHTS = (1.0, 0.9, 0.8)  # of the first, second and third that is there
_VALUE = 200  # characters of one argument that say what is looked for; a longer one is what was written or sent
_ARGUMENTS = 400  # characters of all arguments
_WORDS = 500  # characters of the model's words: the last ones say what it does next


@dataclass(frozen=True)
class Asking:
    """What a tool's result was asked for.

    Attributes:
        query: The first query.
        also: Further queries, each with what its scores are multiplied by.
        alone: The query for a compressor that takes one; None for the first.
    """

    query: str
    also: Mapping[str, float] = field(default_factory=dict, hash=False)
    alone: str | None = None

    @property
    def key(self) -> str:
        """What tells it from another."""
        return repr((self.query, *self.also.items())) if self.also else self.query


def asking(
    arguments: Mapping[str, Any], names: Iterable[str], *, words: str | None = None, question: str | None = None
) -> Asking | None:
    """Return what a tool's result was asked for.

    Args:
        arguments: Those of the tool call.
        names: Names of arguments that hold a query.
        words: What the model said when it made the call.
        question: What the user asked.

    Returns:
        It; None where nothing was asked.

    Example:
        >>> asking({"path": "a.py"}, (), question="Who wrote it?")
        Asking(query='path: a.py', also={'Who wrote it?': 0.9}, alone='Who wrote it?')
    """
    named = named_query(arguments, names)
    if named is not None:
        return Asking(named)
    given = [arguments_text(arguments), (words or "").strip()[-_WORDS:], question or ""]
    there = list(dict.fromkeys(one for one in given if one.strip()))
    if not there:
        return None
    alone = next((one for one in (question, words) if one and one.strip()), None)
    return Asking(there[0], dict(zip(there[1:], WEIGHTS[1:], strict=False)), alone)


def named_query(arguments: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of some arguments of a tool call that is a text and not blank; None if none is."""
    for name in names:
        value = arguments.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return None


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Return the arguments of a call as a text that can be asked: those that are short, with their names.

    Example:
        >>> arguments_text({"pattern": "def load", "path": "src/a.py", "case": None, "lines": [1, 20]})
        'pattern: def load, path: src/a.py, lines: 1, 20'
    """
    said = []
    for name, value in arguments.items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        if not parts or not all(type(one) in (str, int, float) for one in parts):
            continue
        text = " ".join(", ".join(map(str, parts)).split())
        if text and len(text) <= _VALUE:
            said.append(f"{name}: {text}")
    return ", ".join(said)[:_ARGUMENTS]

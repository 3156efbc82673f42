"""A conversation in the shape of OpenAI's chat messages: what of it is compressed, and for what; no framework.

tool, function   as the result of an agent's tool: asked with the arguments of the call, what the model said when
                 it made it, and the question (`asking.py`); a call nobody shows has its tool's name at least
user             context that was sent along, asked with the question; the last message of the user is the question
any other        stays as it is
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from secateurs.adapters.asking import QUERY_ARGUMENTS, Asking, asking
from secateurs.adapters.contents import ToolContent, visible_text

Message = Mapping[str, Any]

_QUESTION = 20_000  # characters of a question: the last ones, where behind a long context the question stands
_ARGUMENTS = 20_000  # characters of a call's arguments that are read; longer ones are what was written or sent
_WORDS = 2_000  # characters of what the model said: the last ones


@dataclass(frozen=True)
class Turn:
    """A message to compress.

    Attributes:
        index: Its place in the conversation.
        content: Its content.
        asking: What it is asked for.
    """

    index: int
    content: ToolContent
    asking: Asking


@dataclass
class _Call:
    """A call of a tool."""

    name: str
    written: object  # its arguments, as JSON
    words: str | None
    question: str | None

    @cached_property
    def asking(self) -> Asking | None:
        """What its result is asked for, found once for however many results name it."""
        asked = asking(_read(self.written), QUERY_ARGUMENTS, words=self.words, question=self.question)
        named = self.name.replace("_", " ").strip()
        return asked or (Asking(named) if named else None)


def turns_of(
    messages: Sequence[Message], *, query: str | None = None, user: bool = True, exclude: Collection[str] = ()
) -> list[Turn]:
    """Return which messages of a conversation are compressed, and what each is asked for.

    Args:
        messages: The conversation; nothing is expected of what a message holds.
        query: The question; None for what the user said last.
        user: Whether earlier messages of the user are among them.
        exclude: Names of tools whose results are not.

    Example:
        >>> said = [{"role": "user", "content": "Who built it?"}, {"role": "tool", "name": "look", "content": "Ann."}]
        >>> turns_of(said)
        [Turn(index=1, content='Ann.', asking=Asking(query='Who built it?', also={}, alone='Who built it?'))]
    """
    last = _last_of_user(messages)
    question = query if query is not None or last < 0 else visible_text(content_of(messages[last]) or "")
    question = question[-_QUESTION:] if question and question.strip() else None
    calls: dict[tuple[str, str], _Call] = {}
    found = []
    for index, message in enumerate(messages):
        role, content = message.get("role"), content_of(message)
        asked = None
        if role == "assistant":
            calls.update(_calls(message, question))
        elif role in ("tool", "function"):
            call = _call_of(message, calls, question)
            asked = None if call.name in exclude else call.asking
        elif role == "user" and user and index != last and question is not None:
            asked = Asking(question)
        if content is not None and asked is not None:
            found.append(Turn(index, content, asked))
    return found


def content_of(message: Message) -> ToolContent | None:
    """Return what a message holds; None where that is nothing, or nothing known."""
    content = message.get("content")
    if isinstance(content, str):
        return content if content.strip() else None
    if isinstance(content, list) and content and all(isinstance(block, (str, dict)) for block in content):
        return content
    return None


def _last_of_user(messages: Sequence[Message]) -> int:
    """Return the place of the last message of the user that says something; -1 where there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].get("role") == "user" and visible_text(content_of(messages[index]) or "").strip():
            return index
    return -1


def _calls(message: Message, question: str | None) -> Iterator[tuple[tuple[str, str], _Call]]:
    """Yield the calls that a message of the model makes, by id, or by name where they are of the older kind."""
    content = content_of(message)
    words = None if content is None else visible_text(content)[-_WORDS:]
    made = message.get("tool_calls")
    for one in made if isinstance(made, list) else ():
        function = one.get("function") if isinstance(one, dict) else None
        if isinstance(function, dict) and isinstance(one.get("id"), str):
            yield ("tool", one["id"]), _call(function, words, question)
    function = message.get("function_call")
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        yield ("function", function["name"]), _call(function, words, question)


def _call(function: Mapping[str, Any], words: str | None, question: str | None) -> _Call:
    name = function.get("name")
    return _Call(name if isinstance(name, str) else "", function.get("arguments"), words, question)


def _call_of(message: Message, calls: Mapping[tuple[str, str], _Call], question: str | None) -> _Call:
    """Return the call that led to a result."""
    name = message.get("name")
    name = name if isinstance(name, str) else ""
    number = message.get("tool_call_id") if message["role"] == "tool" else name
    known = calls.get((message["role"], number)) if isinstance(number, str) else None
    return known or _Call(name, None, None, question)


def _read(written: object) -> Mapping[str, Any]:
    """Return a call's arguments; none where they are not what they should be."""
    if isinstance(written, str) and len(written) <= _ARGUMENTS:
        try:
            written = json.loads(written)
        except (ValueError, RecursionError):
            return {}
    return written if isinstance(written, dict) else {}

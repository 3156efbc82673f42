"""Where tool results stand in what a middleware is given, what they were asked for, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, TypeVar

from cachetools import LRUCache
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.runnables import ensure_config

from secateurs.adapters.asking import Asking, asking
from secateurs.adapters.contents import ToolContent, visible_text
from secateurs.adapters.metadata import METADATA_KEY, copy_metadata, is_made_of, remember_made, was_made
from secateurs.support.fork import ForkLock
from secateurs.support.sizes import size_of

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Cut:
    """What became of one tool result.

    Attributes:
        content: Its new content; None where it stays as it is.
        data: What stands under our key of its response metadata, JSON types.
    """

    content: ToolContent | None = None
    data: Mapping[str, Any] | None = None

    def of(self, message: ToolMessage) -> ToolMessage:
        """Return a message with this content, or the very message where nothing was cut."""
        if self.content is None:
            return message
        metadata = {**copy_metadata(message.response_metadata), METADATA_KEY: deepcopy(self.data)}
        remember_made(visible_text(self.content), self.data)
        return message.model_copy(update={"content": deepcopy(self.content), "response_metadata": metadata})


class Cuts:
    """Remembers what became of the last tool results, so that the same one is cut the same way again.

    Args:
        max_bytes: Forget those longest unused when all together take more memory than this.
    """

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        self._most = max_bytes
        self._known: LRUCache[bytes, _Known] = LRUCache(max_bytes, getsizeof=lambda known: known.cost)
        self._lock = ForkLock()

    def get(self, message: ToolMessage, query: str, conversation: str = "") -> Cut | None:
        """Return what became of a message's content for a query; None if it is not or no longer known."""
        key = _key(message, query, conversation)
        with self._lock:
            known = self._known.get(key)
        return None if known is None else known.cut

    def put(self, message: ToolMessage, query: str, cut: Cut, conversation: str = "") -> None:
        """Remember what became of a message's content for a query, in a conversation, whose handle stands in it."""
        key = _key(message, query, conversation)
        known = _Known(cut, _ENTRY + size_of(cut.content) + size_of(cut.data))
        if known.cost <= self._most:
            with self._lock:
                self._known[key] = known


_ENTRY = 500  # bytes of what is remembered beside content and data


@dataclass(frozen=True, slots=True)
class _Known:
    cut: Cut
    cost: int  # bytes


def _key(message: ToolMessage, query: str, conversation: str) -> bytes:
    seen = (conversation, query, message.content, [one.page_content for one in documents_of(message)])
    return blake2b(repr(seen).encode("utf-8", "surrogatepass"), digest_size=32).digest()


def conversation() -> str:
    """Return what names the conversation of the run around: its thread's id; "" outside of a thread."""
    found = ensure_config().get("configurable", {}).get("thread_id")
    return "" if found is None else str(found)


def documents_of(message: ToolMessage) -> Sequence[Document]:
    """Return the Documents a tool left in the artifact; none if there is anything else in it."""
    artifact = message.artifact
    if isinstance(artifact, (list, tuple)) and all(isinstance(one, Document) for one in artifact):
        return artifact
    return ()


def compressible(message: ToolMessage) -> bool:
    """Return whether a tool result may be touched: no error, and not ours already, nor made of what is."""
    if message.status == "error":
        return False
    shown = visible_text(message.content)
    if was_made(shown, message.response_metadata):
        return False
    documents = documents_of(message)
    texts = [one.page_content for one in documents]
    return not is_made_of(shown, texts, [one.metadata for one in documents])


def tool_messages(result: object) -> list[ToolMessage]:
    """Return the tool messages in a tool's result: itself, those of a `Command`, or those of a list of both."""
    if isinstance(result, ToolMessage):
        return [result]
    if isinstance(result, list):
        return [message for one in result for message in tool_messages(one)]
    update = getattr(result, "update", None)
    if isinstance(update, Mapping):
        return tool_messages(update.get("messages"))
    return tool_messages(update) if isinstance(update, list) else []


def replaced(result: ResultT, changed: Mapping[int, ToolMessage]) -> ResultT:
    """Return a tool's result with other tool messages, given by `id()`; nothing is changed in place."""
    new: Any = result
    if isinstance(result, ToolMessage):
        new = changed.get(id(result), result)
    elif isinstance(result, list):
        new = [replaced(one, changed) for one in result]
    else:
        update = getattr(result, "update", None)
        if isinstance(update, Mapping) and "messages" in update:
            new = replace(new, update={**update, "messages": replaced(update["messages"], changed)})
        elif isinstance(update, list):
            new = replace(new, update=replaced(update, changed))
    return new  # type: ignore[no-any-return]  # of the type that came in


def calls_before(messages: Sequence[AnyMessage]) -> list[tuple[int, ToolCall]]:
    """Return the place of each tool result among messages, and the call that led to it."""
    calls: dict[str | None, ToolCall] = {}
    found = []
    for index, message in enumerate(messages):
        if isinstance(message, AIMessage):
            calls.update({call["id"]: call for call in message.tool_calls})
        elif isinstance(message, ToolMessage):
            unknown = ToolCall(name=message.name or "", args={}, id=message.tool_call_id)
            found.append((index, calls.get(message.tool_call_id, unknown)))
    return found


def asked_of(call: ToolCall, names: Iterable[str], state: object) -> Asking | None:
    """Return what a tool call was made for.

    Args:
        call: The tool call.
        names: Names of arguments that hold a query.
        state: The agent's state, or its messages.

    Returns:
        What its arguments, the message that made it and the last human message say (a summary of earlier ones only
        if there is no other), see `secateurs.adapters.asking`; None where there is nothing of them.
    """
    messages: Any = state.get("messages") if isinstance(state, Mapping) else getattr(state, "messages", state)
    human = [one for one in messages or () if isinstance(one, HumanMessage) and one.text.strip()]
    own = [one for one in human if one.additional_kwargs.get("lc_source") != "summarization"]
    question = str((own or human)[-1].text) if human else None
    return asking(call["args"], names, words=_words(messages or (), call), question=question)


def _words(messages: Sequence[Any], call: ToolCall) -> str | None:
    """Return what the model said in the message that made a call."""
    for message in reversed(messages):
        if isinstance(message, AIMessage) and any(one["id"] == call["id"] for one in message.tool_calls):
            return str(message.text)
    return None

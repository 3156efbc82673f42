"""The texts inside a tool result that can be compressed, and the result around shorter ones.

A string is one text, unless its Documents are known (one text each) or it holds JSON, which stays valid: see
`secateurs.adapters.streams`. Of a list of content blocks only the text blocks are read; images and all others stay as
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document

from secateurs.adapters.slots import Slot, filled
from secateurs.adapters.streams import counted, last_text, noted, still_parses, text_slots
from secateurs.adapters.tool_output import Parts

ToolContent = str | list[str | dict[Any, Any]]


def split_content(content: ToolContent, documents: Sequence[Document] = ()) -> Parts[ToolContent]:
    """Take a tool result's content apart.

    Args:
        content: The content; it is not changed.
        documents: The documents that a string content was made of, if they are known.

    Returns:
        Its texts and the way back.

    Example:
        >>> parts = split_content('{"id": 7, "text": "' + "It rained. " * 9 + '"}')
        >>> len(parts.texts), parts.rebuild(["It rained."])
        (1, '{"id": 7, "text": "It rained."}')
    """
    if isinstance(content, str):
        return _split_text(content, documents)
    parts = [_split_block(block) for block in content]

    def rebuild(texts: Sequence[str], note: str = "") -> ToolContent:
        rest = iter(texts)
        made = ["" if part is None else str(part.rebuild([next(rest) for _ in part.texts])) for part in parts]
        last = last_text(made) if note else -1
        blocks: list[str | dict[Any, Any]] = []
        for place, (block, part, text) in enumerate(zip(content, parts, made, strict=True)):
            if part is None:
                blocks.append(block)
            elif text.strip():  # providers refuse a blank text block
                text = noted(text, note) if place == last else text
                blocks.append(text if isinstance(block, str) else {**block, "text": text})
        return [*blocks, {"type": "text", "text": note}] if note and last < 0 else blocks

    def valid(made: ToolContent) -> bool:
        texts = [visible_text([block]) for block in content], [visible_text([block]) for block in made]
        return len(texts[0]) != len(texts[1]) or all(map(still_parses, *texts))

    texts = tuple(text for part in parts if part is not None for text in part.texts)
    return Parts(texts, (None,) * len(texts), rebuild, valid)


def visible_text(content: ToolContent) -> str:
    """Return what an LLM reads of a content, its blocks on a line each."""
    if isinstance(content, str):
        return content
    texts = (block if isinstance(block, str) else block.get("text") for block in content)
    return "\n".join(text for text in texts if isinstance(text, str))


def _split_block(block: str | dict[Any, Any]) -> Parts[ToolContent] | None:
    text = block if isinstance(block, str) else block.get("text")
    if not isinstance(text, str) or not text.strip():
        return None
    if isinstance(block, dict) and (
        block.get("type") != "text" or block.get("annotations") or block.get("citations")
    ):
        return None  # annotations point into the text by offset
    return _split_text(text, ())


def _split_text(text: str, documents: Sequence[Document]) -> Parts[ToolContent]:
    slots = counted(text, _document_slots(text, documents) or text_slots(text))

    def rebuild(texts: Sequence[str], note: str = "") -> ToolContent:
        made = filled(text, slots, texts)
        return noted(made, note) if note else made

    ids = tuple(slot.id for slot in slots)
    return Parts(tuple(slot.text for slot in slots), ids, rebuild, lambda made: still_parses(text, str(made)))


def _document_slots(text: str, documents: Sequence[Document]) -> list[Slot] | None:
    """Return where the documents stand in the text, one after the other; None if one of them does not."""
    slots, at = [], 0
    for document in documents:
        page = document.page_content
        start = text.find(page, at)
        if start < 0:
            return None
        at = start + len(page)
        slots.append(Slot(start, at, page, document.id, around=(start, at)))
    return slots

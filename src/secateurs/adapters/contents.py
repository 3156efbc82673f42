"""The texts inside a message's content that can be compressed, and the content around shorter ones; no framework.

A string is one text, unless the documents it was made of are known (one text each) or it holds JSON, which stays
valid: see `secateurs.adapters.streams`. Of a list of content blocks only the text blocks are read; images and all
others stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from secateurs.adapters.slots import Slot, filled
from secateurs.adapters.streams import counted, noted, split_texts, still_parses, text_slots
from secateurs.adapters.tool_output import Parts

ToolContent = str | list[str | dict[Any, Any]]
Source = tuple[str, str | None]  # a document's text, and its id


def split_content(content: ToolContent, documents: Sequence[Source] = ()) -> Parts[ToolContent]:
    """Take a tool result's content apart.

    Args:
        content: The content; it is not changed.
        documents: The text and id of each document that a string content was made of, if they are known.

    Returns:
        Its texts and the way back.

    Example:
        >>> parts = split_content('{"id": 7, "text": "' + "It rained. " * 9 + '"}')
        >>> len(parts.texts), parts.rebuild(["It rained."])
        (1, '{"id": 7, "text": "It rained."}')
    """
    if isinstance(content, str):
        return _split_text(content, documents)
    wholes = [_text_of(block) for block in content]
    split = split_texts(wholes)

    def rebuild(texts: Sequence[str], note: str = "") -> ToolContent:
        made = split.rebuild(texts, note)
        blocks: list[str | dict[Any, Any]] = []
        for block, text, new in zip(content, wholes, made, strict=False):
            if text is None:
                blocks.append(block)
            elif new.strip():  # providers refuse a blank text block
                blocks.append(new if isinstance(block, str) else {**block, "text": new})
        return [*blocks, *({"type": "text", "text": note} for note in made[len(content) :])]

    def valid(made: ToolContent) -> bool:
        before, after = ([visible_text([block]) for block in some] for some in (content, made))
        return len(before) != len(after) or all(map(still_parses, before, after))

    return Parts(split.texts, split.ids, rebuild, valid)


def visible_text(content: ToolContent) -> str:
    """Return what an LLM reads of a content, its blocks on a line each."""
    if isinstance(content, str):
        return content
    texts = (block if isinstance(block, str) else block.get("text") for block in content)
    return "\n".join(text for text in texts if isinstance(text, str))


def _text_of(block: str | dict[Any, Any]) -> str | None:
    """Return the text of a block; None where it holds none that may be cut."""
    text = block if isinstance(block, str) else block.get("text")
    if not isinstance(text, str) or not text.strip():
        return None
    if isinstance(block, dict) and (
        block.get("type") != "text" or block.get("annotations") or block.get("citations")
    ):
        return None  # annotations point into the text by offset
    return text


def _split_text(text: str, documents: Sequence[Source]) -> Parts[ToolContent]:
    slots = counted(text, _document_slots(text, documents) or text_slots(text))

    def rebuild(texts: Sequence[str], note: str = "") -> ToolContent:
        made = filled(text, slots, texts)
        return noted(made, note) if note else made

    ids = tuple(slot.id for slot in slots)
    return Parts(tuple(slot.text for slot in slots), ids, rebuild, lambda made: still_parses(text, str(made)))


def _document_slots(text: str, documents: Sequence[Source]) -> list[Slot] | None:
    """Return where the documents stand in the text, one after the other; None if one of them does not."""
    slots, at = [], 0
    for page, name in documents:
        start = text.find(page, at)
        if start < 0:
            return None
        at = start + len(page)
        slots.append(Slot(start, at, page, name, around=(start, at)))
    return slots

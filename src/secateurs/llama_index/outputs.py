"""The texts inside a tool's output that can be compressed, and the output around shorter ones.

Where the raw output is a list of nodes, each node is one text. Of JSON, and of what Python writes of a dict, a list
or an object with fields, each long string is one, so that it stays valid. Anything else is one text as a whole. Only
text blocks are read, images and all others stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_index.core.base.llms.types import ContentBlock
from llama_index.core.llms import TextBlock
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore
from llama_index.core.tools import ToolOutput

from secateurs.adapters.metadata import is_made_of
from secateurs.adapters.slots import Slot, filled, json_slots, repr_slots
from secateurs.adapters.streams import counted, last_text, noted, still_parses, text_slots
from secateurs.adapters.tool_output import Parts
from secateurs.llama_index.nodes import text_of


def split_output(output: ToolOutput) -> Parts[ToolOutput]:
    """Take an output apart.

    Args:
        output: The output; it is not changed, and what is made around other texts shares its raw output.

    Returns:
        Its texts and the way back; a node that became blank is left out with its metadata.
    """
    found = {}
    for index, block in enumerate(output.blocks):
        if isinstance(block, TextBlock) and block.text.strip():
            found[index] = _slots(block.text, output.raw_output)
    slots = [slot for some in found.values() for slot in some]

    def rebuild(texts: Sequence[str], note: str = "") -> ToolOutput:
        return _rebuilt(output, found, texts, note)

    def valid(made: ToolOutput) -> bool:
        before, after = (
            [block.text for block in one.blocks if isinstance(block, TextBlock)] for one in (output, made)
        )
        return len(before) != len(after) or all(map(still_parses, before, after))

    return Parts(tuple(slot.text for slot in slots), tuple(slot.id for slot in slots), rebuild, valid)


def _rebuilt(output: ToolOutput, slots: Mapping[int, Sequence[Slot]], texts: Sequence[str], note: str) -> ToolOutput:
    rest = iter(texts)
    mine = {index: [next(rest) for _ in some] for index, some in slots.items()}
    places = [
        index
        for index, some in mine.items()
        if any(text.strip() or slot.around is None for slot, text in zip(slots[index], some, strict=True))
    ]
    blocks: list[ContentBlock] = []
    for index, block in enumerate(output.blocks):
        if index not in slots or not isinstance(block, TextBlock):
            blocks.append(block)
            continue
        text = _filled(block.text, slots[index], mine[index], note if places and index == places[-1] else "")
        if text.strip():
            blocks.append(block.model_copy(update={"text": text}))
    if note and not places:
        blocks.append(TextBlock(text=note))
    return output.model_copy(update={"blocks": blocks})


def _filled(text: str, slots: Sequence[Slot], texts: Sequence[str], note: str) -> str:
    """Return a text around others, with a note; what Python writes of an object has it in its last string."""
    if note and slots[-1].write is repr:
        last = last_text(texts) % len(texts)  # the very last where all are blank
        texts = [f"{one}\n{note}".lstrip("\n") if place == last else one for place, one in enumerate(texts)]
        return filled(text, slots, texts)
    made = filled(text, slots, texts)
    return noted(made, note) if note else made


def is_ours(output: ToolOutput) -> bool:
    """Return whether an output is made of nodes that are compressed already."""
    nodes = _nodes(output.raw_output)
    return is_made_of(output.content, [text_of(node) or "" for node in nodes], [node.metadata for node in nodes])


def _slots(text: str, raw_output: object) -> list[Slot]:
    return counted(text, _found(text, raw_output))


def _found(text: str, raw_output: object) -> list[Slot]:
    slots = _node_slots(text, raw_output)
    if slots is not None:
        return slots
    if not isinstance(raw_output, str) and json_slots(text) is None:
        slots = repr_slots(text, raw_output)
        if slots or (isinstance(raw_output, (dict, list, tuple)) and text == str(raw_output)):
            return slots
    return text_slots(text)


def _nodes(raw_output: object) -> list[BaseNode]:
    """Return the nodes a raw output consists of; none if there is anything else in it."""
    if not isinstance(raw_output, list):
        return []
    nodes = [one.node if isinstance(one, NodeWithScore) else one for one in raw_output]
    return nodes if all(isinstance(node, BaseNode) for node in nodes) else []


def _node_slots(text: str, raw_output: object) -> list[Slot] | None:
    """Return where the nodes' own texts stand in a text, one after the other; None if one of them does not."""
    slots: list[Slot] = []
    at = 0
    for node in _nodes(raw_output):
        own = text_of(node)
        if own is None:
            continue
        slot = _node_slot(text, node, own.strip(), at)  # stripped, as LlamaIndex writes a node with its metadata
        if slot is None:
            return None
        slots.append(slot)
        at = slot.end if slot.around is None else slot.around[1]
    return slots or None


def _node_slot(text: str, node: BaseNode, own: str, at: int) -> Slot | None:
    shown = node.get_content(MetadataMode.LLM)
    start, inside = text.find(shown, at), shown.rfind(own)
    if start >= 0 and inside >= 0:
        around = (start, start + len(shown))
        start += inside
        return Slot(start, start + len(own), own, node.id_, around=around)
    start = text.find(own, at)
    end = start + len(own)
    return None if start < 0 else Slot(start, end, own, node.id_, around=(start, end))

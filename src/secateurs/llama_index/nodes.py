"""Text out of LlamaIndex nodes, and shorter text into copies of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from llama_index.core.schema import BaseNode, ImageNode, MetadataMode, Node, TextNode

from secateurs.adapters.metadata import METADATA_KEY, copy_metadata
from secateurs.result.span import merge_spans

SOURCE_SPANS = "source_spans"

_RETRIEVER_TOOL = re.compile(r"\ninput is (.+)\n|(.+)\n\n", re.DOTALL)


def clean_query(query: str) -> str:
    r"""Return the query that was asked: `RetrieverTool` hands on a description of its arguments in place of it.

    Only what it makes of one argument, named or not, is turned back; all other queries stay to the letter.

    Example:
        >>> clean_query("\ninput is Who wrote it?\n")
        'Who wrote it?'
        >>> clean_query("Who wrote it?\n\n")
        'Who wrote it?'
        >>> clean_query("The input is broken, why?")
        'The input is broken, why?'
    """
    found = _RETRIEVER_TOOL.fullmatch(query)
    return query if found is None else found[1] or found[2]


def text_of(node: BaseNode) -> str | None:
    """Return a node's own text, without its metadata; None where there is nothing to compress."""
    if isinstance(node, ImageNode) or not isinstance(node, (TextNode, Node)):
        return None
    if isinstance(node, Node) and (node.image_resource or node.audio_resource or node.video_resource):
        return None
    text = node.get_content(MetadataMode.NONE)
    return text if text.strip() else None


def source_spans(node: BaseNode, spans: Iterable[Sequence[int]]) -> list[list[int]] | None:
    """Return where spans of a node's text stand in the document the node was cut from.

    Args:
        node: The node as it came. Its `start_char_idx` says where it stands, or, if it was compressed before, what we
            wrote in its metadata then.
        spans: Half-open, in code points of the node's text, sorted and disjoint.

    Returns:
        Half-open spans in code points of the document; None where the node does not know its place, or where its
        text is no longer what stands there (as after a `MetadataReplacementPostProcessor`).
    """
    pieces = _pieces(node)
    if sum(end - start for start, end in pieces) != len(node.get_content(MetadataMode.NONE)):
        return None
    found, at = [], 0
    for first, last in pieces:
        shift, until = first - at, at + last - first
        found += [
            (max(start, at) + shift, min(end, until) + shift) for start, end in spans if start < until and end > at
        ]
        at = until
    return [list(span) for span in merge_spans(found)]


def _pieces(node: BaseNode) -> list[Sequence[int]]:
    """Return the pieces of the source that a node's text is made of, as far as the node knows."""
    before = node.metadata.get(METADATA_KEY)
    if before is not None:
        known = before.get(SOURCE_SPANS) if isinstance(before, dict) else None
        return list(known) if _are_spans(known) else []
    start, end = getattr(node, "start_char_idx", None), getattr(node, "end_char_idx", None)
    if start is None:
        return []
    return [(start, start + len(node.get_content(MetadataMode.NONE)) if end is None else end)]


def _are_spans(value: object) -> TypeGuard[list[Sequence[int]]]:
    """Tell whether metadata, which anyone may have written, holds spans."""
    return isinstance(value, list) and all(
        isinstance(one, (list, tuple)) and len(one) == 2 and all(isinstance(at, int) for at in one) for one in value
    )


def rewrite(node: BaseNode, text: str, data: dict[str, Any]) -> BaseNode:
    """Return a copy of a node with another text and our data, which neither the LLM nor the embedding model sees.

    Args:
        node: A node with text; it is not changed.
        text: The text of the copy.
        data: What to put under our metadata key.

    Returns:
        A copy with the same id, embedding, relationships, templates and offsets (those of the whole chunk).
    """
    update: dict[str, Any] = {
        "metadata": {**copy_metadata(node.metadata), METADATA_KEY: data},
        "excluded_llm_metadata_keys": _with_key(node.excluded_llm_metadata_keys),
        "excluded_embed_metadata_keys": _with_key(node.excluded_embed_metadata_keys),
        "relationships": dict(node.relationships),
    }
    if isinstance(node, Node) and node.text_resource is not None:
        update["text_resource"] = node.text_resource.model_copy(update={"text": text})
    else:
        update["text"] = text
    return node.model_copy(update=update)


def _with_key(keys: list[str]) -> list[str]:
    return [*keys, METADATA_KEY] if METADATA_KEY not in keys else list(keys)

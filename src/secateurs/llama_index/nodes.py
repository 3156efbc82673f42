"""Text out of LlamaIndex nodes, and shorter text into copies of them."""

from __future__ import annotations

import re
from typing import Any

from llama_index.core.schema import BaseNode, ImageNode, MetadataMode, Node, TextNode

from secateurs.adapter import METADATA_KEY, copy_metadata

_RETRIEVER_TOOL = re.compile(r"\ninput is (.+)\n", re.DOTALL)


def clean_query(query: str) -> str:
    r"""Return the query that was asked: `RetrieverTool` hands on a description of its arguments in place of it.

    Example:
        >>> clean_query("\ninput is Who wrote it?\n")
        'Who wrote it?'
        >>> clean_query("The input is broken, why?")
        'The input is broken, why?'
    """
    found = _RETRIEVER_TOOL.fullmatch(query)
    return query if found is None else found[1]


def text_of(node: BaseNode) -> str | None:
    """Return a node's own text, without its metadata; None where there is nothing to compress."""
    if isinstance(node, ImageNode) or not isinstance(node, (TextNode, Node)):
        return None
    if isinstance(node, Node) and (node.image_resource or node.audio_resource or node.video_resource):
        return None
    text = node.get_content(MetadataMode.NONE)
    return text if text.strip() else None


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

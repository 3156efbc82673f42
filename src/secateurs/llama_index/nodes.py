"""Text out of LlamaIndex nodes, and shorter text into copies of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeGuard

from llama_index.core.schema import BaseNode, ImageNode, MetadataMode, Node, TextNode

from secateurs.adapters.metadata import METADATA_KEY, copy_metadata, remember_made
from secateurs.policy import SourcePlace
from secateurs.result.compression import Compression
from secateurs.result.join import Slice
from secateurs.result.span import Span

_FURTHEST = 2**53  # JSON's readers take larger numbers for others
_MOST = 100_000  # spans of a text; ours, of a text of 10 MB, are fewer

SOURCE_SPANS = "source_spans"
TEXT_SPANS = "text_spans"

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


def places(node: BaseNode, compression: Compression) -> dict[str, Any]:
    """Return where the text of a compressed node stands in the document the node was cut from.

    Args:
        node: The node as it came. Its `start_char_idx` says where it stands, or, if it was compressed before, what we
            wrote in its metadata then.
        compression: What became of its text.

    Returns:
        `source_spans`, half-open in code points of the document, and `text_spans`, where each of those stands in the
        new text. Nothing where the node does not know its place, or where its text is no longer what stands there (as
        after a `MetadataReplacementPostProcessor`).
    """
    mark = None if compression.parts is None else compression.parts.elision
    pieces = _pieces(node, mark)
    if not pieces:
        return {}
    found = _within(pieces, compression.slices)
    return {
        SOURCE_SPANS: [[start, end] for start, end, _ in found],
        TEXT_SPANS: [[at, at + end - start] for start, end, at in found],
    }


def place_of(node: BaseNode) -> SourcePlace | None:
    """Return where a node's text stands in the document it was cut from; None where that is not known."""
    source = node.ref_doc_id
    pieces = [] if source is None or METADATA_KEY in node.metadata else _pieces(node, None)
    return SourcePlace(str(source), pieces[0].start) if pieces else None


def _within(pieces: Sequence[Slice], slices: Sequence[Slice]) -> list[Slice]:
    """Return where slices of a text stand in the document that the text's pieces are of; joints are of none."""
    found: list[Slice] = []
    rest = iter(pieces)
    piece = next(rest, None)
    for one in slices:
        while piece is not None and piece.at < one.end:
            first, last = max(one.start, piece.at), min(one.end, piece.at + piece.end - piece.start)
            if first < last:
                start, at = piece.start + first - piece.at, one.at + first - one.start
                end = start + last - first
                if found and found[-1].end == start and found[-1].at + start - found[-1].start == at:
                    found[-1] = found[-1]._replace(end=end)
                else:
                    found.append(Slice(start, end, at))
            if piece.at + piece.end - piece.start > one.end:
                break  # the next slice may have some of it, too
            piece = next(rest, None)
    return found


def _pieces(node: BaseNode, mark: str | None) -> list[Slice]:
    """Return the pieces of the source that a node's text is made of; none where it is made of anything else."""
    text = node.get_content(MetadataMode.NONE)
    before = node.metadata.get(METADATA_KEY)
    start, end = getattr(node, "start_char_idx", None), getattr(node, "end_char_idx", None)
    if not _is_place(start):
        return []
    if before is not None:
        return _known(before, text, mark, Span(start, end if _is_place(end) else _FURTHEST))
    if end is not None and end - start != len(text):
        return []
    return [Slice(start, start + len(text), 0)]


def _is_place(value: object) -> TypeGuard[int]:
    """Tell whether anybody's number can be a place in a document."""
    return type(value) is int and 0 <= value <= _FURTHEST


def _known(data: object, text: str, mark: str | None, chunk: Span) -> list[Slice]:
    """Return what an earlier compression wrote down, if it can be true; anyone may have written it.

    Args:
        data: What stands under our key.
        text: The text it is said of.
        mark: What stands where something was cut.
        chunk: Where the node stands in its document: nothing of it can be from elsewhere.
    """
    sources, texts = (data.get(SOURCE_SPANS), data.get(TEXT_SPANS)) if isinstance(data, dict) else (None, None)
    if not _are_spans(sources) or not _are_spans(texts) or len(sources) != len(texts):
        return []
    found = [Slice(start, end, at) for (start, end), (at, _) in zip(sources, texts, strict=True)]
    reach, come, joints = 0, chunk.start, []
    for (start, end, at), (_, stop) in zip(found, texts, strict=True):
        if not reach <= at < stop <= len(text) or stop - at != end - start or not come <= start < end <= chunk.end:
            return []  # out of order, out of the text or out of the chunk
        joints.append(text[reach:at])
        reach, come = stop, end
    rest = [joint.replace(mark, "") if mark else joint for joint in (*joints, text[reach:])]
    return [] if "".join(rest).replace(">", "").strip() else found  # white space, and the marks of block quotes


def _are_spans(value: object) -> TypeGuard[list[Sequence[int]]]:
    """Tell whether metadata holds spans, no more than a text could have."""
    return (
        isinstance(value, list)
        and len(value) <= _MOST
        and all(
            isinstance(one, (list, tuple)) and len(one) == 2 and all(type(at) is int for at in one) for one in value
        )
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
    remember_made(text, data)
    if isinstance(node, Node) and node.text_resource is not None:
        update["text_resource"] = node.text_resource.model_copy(update={"text": text})
    else:
        update["text"] = text
    return node.model_copy(update=update)


def _with_key(keys: list[str]) -> list[str]:
    return [*keys, METADATA_KEY] if METADATA_KEY not in keys else list(keys)

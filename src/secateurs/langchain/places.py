"""Where a document stands in the source it was split from, as LangChain's splitters write it down."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from secateurs.policy import SourcePlace

_START = "start_index"
# keys that name a source: with none of them two chunks may be of two texts
_NAMES = frozenset(("source", "file_path", "file_name", "filename", "path", "url", "doc_id", "document_id", "title"))
# what is a chunk's own, and differs among those of one source
_OWN = frozenset(
    (_START, "score", "_score", "relevance_score", "similarity", "distance", "id", "_id", "uuid", "seq_num")
) | frozenset(("chunk", "chunk_id", "chunk_index", "chunk_number"))


def place_of(metadata: Mapping[Any, Any], beside: Collection[str]) -> SourcePlace | None:
    """Return where a document stands in its source; None where its metadata do not say it.

    Chunks are of one source where all else that is said of them is the same: the pages of a PDF have one `source`,
    and each counts from its own beginning.

    Args:
        metadata: The document's.
        beside: Keys of ours; where there is something under the first one, the text is what is left of another.

    Example:
        >>> place_of({"source": "a.md", "start_index": 80}, ("secateurs",))
        SourcePlace(source="[('source', 'a.md')]", start=80)
    """
    start = metadata.get(_START)
    if type(start) is not int or start < 0 or any(key in metadata for key in beside):
        return None
    if not any(metadata.get(name) for name in _NAMES):
        return None
    try:
        said = sorted((str(key), value) for key, value in metadata.items() if key not in _OWN)
        return SourcePlace(repr(said), start)
    except Exception:  # something in it cannot be written down: nobody can say that two are the same
        return None

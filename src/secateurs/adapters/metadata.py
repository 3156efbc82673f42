"""Where our data stands in the metadata of documents and messages, and whether it is ours.

Anybody can write our key into the metadata of a document. So a text counts as compressed already only where this
process made it and wrote what stands under the key: it remembers a digest of both, under a key of its own. What
another process made is compressed once more.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from secateurs.support.fork import ForkLock

if TYPE_CHECKING:
    from cachetools import LRUCache

METADATA_KEY = "secateurs"
_MOST = 16_384  # texts that are remembered: some 4 MB
_TRUSTED = 20_000  # characters up to which an output may count as compressed; in a longer one everything counts
_BESIDE = 500  # characters of such an output beside each of the texts it is made of: what a prompt puts around them

_SEED = secrets.token_bytes(32)
_LOCK = ForkLock()


def copy_metadata(metadata: dict[Any, Any]) -> dict[Any, Any]:
    """Return a deep copy, or where something in it cannot be copied (a lock, a client) a shallow one."""
    try:
        return deepcopy(metadata)
    except Exception:
        return dict(metadata)


def remember_made(text: str, data: object) -> None:
    """Remember that a text was made here: by a compression, or as an original that was given back.

    Args:
        text: The text.
        data: What stands under our key beside it.
    """
    digest = _digest(text, data)
    with _LOCK:
        _made()[digest] = True


def was_made(text: str, metadata: Mapping[Any, Any]) -> bool:
    """Return whether a text was made here, and what its metadata hold under our key, as far back as is remembered."""
    if METADATA_KEY not in metadata:
        return False
    digest = _digest(text, metadata[METADATA_KEY])
    with _LOCK:
        return _made().get(digest, False)


def is_made_of(shown: str, texts: Sequence[str], metadata: Sequence[Mapping[Any, Any]]) -> bool:
    """Return whether an output consists of texts that were made here, and of little else.

    Args:
        shown: What an LLM would read of the output.
        texts: The texts it is said to consist of.
        metadata: Theirs.
    """
    beside = len(shown) - sum(map(len, texts))
    if not texts or len(shown) > _TRUSTED or beside > _BESIDE * (len(texts) + 1):
        return False
    return all(map(was_made, texts, metadata))


@cache
def _made() -> LRUCache[bytes, bool]:
    from cachetools import LRUCache  # an adapter is imported without it

    return LRUCache(_MOST)


def _digest(text: str, data: object) -> bytes:
    made = blake2b(digest_size=16, key=_SEED)
    for part in (text, json.dumps(data, sort_keys=True, default=repr)):
        encoded = part.encode("utf-8", "surrogatepass")
        made.update(len(encoded).to_bytes(8, "little"))
        made.update(encoded)
    return made.digest()

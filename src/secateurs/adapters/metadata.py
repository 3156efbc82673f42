"""Where our data stands in the metadata of documents and messages."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

METADATA_KEY = "secateurs"


def copy_metadata(metadata: dict[Any, Any]) -> dict[Any, Any]:
    """Return a deep copy, or where something in it cannot be copied (a lock, a client) a shallow one."""
    try:
        return deepcopy(metadata)
    except Exception:
        return dict(metadata)

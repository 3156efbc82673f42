"""What a request has and lacks, looked at as a whole: which fields are missing, and what an unknown one may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from secateurs.support.hints import meant

_NAMED = 3  # unknown fields that are named; a request with thousands still gets a short answer
_SHOWN_NAME = 60  # characters of one


def without_null(data: dict[Any, Any]) -> dict[Any, Any]:
    """Return a request with a blank text in the place of null."""
    changed = dict(data)
    if isinstance(documents := data.get("documents"), list):
        changed["documents"] = ["" if one is None else one for one in documents]
    if isinstance(pairs := data.get("pairs"), list):
        changed["pairs"] = [[*pair[:-1], ""] if _lacks_text(pair) else pair for pair in pairs]
    return changed


def _lacks_text(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and pair[1] is None


def missing_of(given: Set[str]) -> str:
    """Say which fields a request lacks, or has beside others they exclude."""
    either = "send either query and documents, or pairs"
    if "pairs" in given:
        return f"{either}: {', '.join(sorted(given))} are all there"
    lacking = [name for name in ("query", "documents") if name not in given]
    return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing: {either}"


def unknown_of(data: dict[Any, Any], known: Mapping[str, object]) -> str:
    """Say which of a request's fields are none, and what was probably meant."""
    names = [str(name) for name in data if name not in known][:_NAMED]
    return "".join(f"; {no_field(name, known)}" for name in names)


def no_field(name: str, known: Iterable[str]) -> str:
    """Say that a request has no such field, and which was probably meant."""
    said = name if len(name) <= _SHOWN_NAME else f"{name[: _SHOWN_NAME - 3]}..."
    hint = meant(name, known)
    return f"{said} is no field of this request" + (f" (did you mean {hint}?)" if hint else "")

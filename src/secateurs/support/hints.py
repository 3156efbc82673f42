"""What somebody may have meant by a name that is none."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from secateurs.errors import in_short

_LONGEST = 60  # characters of a name that is compared: the time it takes grows with their square
# What the same thing is called elsewhere: in LangChain, LlamaIndex, LLMLingua, Cohere and Jina, OpenProvence.
_ELSEWHERE = {
    "base_retriever": "retriever",
    "base_compressor": "compressor",
    "model_name": "model",
    "model_id": "model",
    "model_path": "model",
    "device_map": "device",
    "similarity_threshold": "threshold",
    "similarity_cutoff": "threshold",
    "threshold_cutoff": "threshold",
    "score_threshold": "threshold",
    "min_score": "threshold",
    "similarity_top_k": "top_k",
    "k": "top_k",
    "target_token": "max_total_tokens",
    "token_budget": "max_total_tokens",
    "budget": "max_total_tokens",
    "max_total_token": "max_total_tokens",
    "context_before": "neighbours",
    "context_after": "neighbours",
    "neighbors": "neighbours",
    "window": "neighbours",
    "separator": "elision",
    "ellipsis": "elision",
    "reorder": "rerank",
    "top_k_documents": "top_n",
    "question": "query",
    "query_str": "query",
    "text": "documents",
    "texts": "documents",
    "docs": "documents",
    "passages": "documents",
    "context": "documents",
}


def meant(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant; None where none is close.

    Args:
        name: What was written.
        known: The names there are.

    Example:
        >>> meant("treshold", ["threshold", "top_k"]), meant("q", ["query", "documents"]), meant("x", ["query"])
        ('threshold', 'query', None)
    """
    names = list(known)
    plain = name[:_LONGEST].lower().replace("-", "_")
    if _ELSEWHERE.get(plain) in names:
        return _ELSEWHERE[plain]
    if close := get_close_matches(plain, names, n=1, cutoff=0.7):
        return close[0]
    begins = [one for one in names if plain and one.startswith(plain)]
    return begins[0] if len(begins) == 1 else None


def no_such(thing: str, names: Iterable[str], known: Iterable[str]) -> str:
    """Say that a thing has no fields of some names, and which were probably meant.

    Args:
        thing: What has the fields.
        names: The names that are none, at least one.
        known: The names there are.

    Example:
        >>> no_such("SecateursCompressor", ["treshold"], ["threshold", "top_k"])
        "SecateursCompressor has no field 'treshold': did you mean 'threshold'?"
        >>> no_such("SecateursCompressor", ["colour"], ["threshold", "top_k"])
        "SecateursCompressor has no field 'colour': it has threshold, top_k."
    """
    known = list(known)
    for name in names:
        if (hint := meant(name, known)) is not None:
            return f"{thing} has no field {in_short(name)}: did you mean {hint!r}?"
    return f"{thing} has no field {', '.join(map(in_short, names))}: it has {', '.join(known)}."

"""What a tokenizer file may ask for: looked at before the tokenizer reads its first text.

Its own library runs whatever the file says. A file of a hundred bytes can make each character of a text a million, or
a regular expression that takes years; neither can be interrupted. What published tokenizers hold passes; the rest is
refused by name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import tokenizers

from secateurs.checkpoints.patterns import why_endless
from secateurs.errors import in_short

_MOST_GROWTH = 256  # characters that one may become; NFKC alone needs 18
_MOST_STEPS = 64
_LONGEST_PIECE = 1024  # characters of a token: a long one is compared with a text at every place
_LONGEST_AFFIX = 32  # characters before or behind each piece of a word: "##", "</w>"
_LONGEST_TEXT = 4096  # characters of any other string, but a character map
_LONGEST_WORD = 1000  # characters: WordPiece tries every end of every part of a word


# of the models themselves, beside their vocabulary
_STRINGS = {
    "continuing_subword_prefix": _LONGEST_AFFIX,
    "end_of_word_suffix": _LONGEST_AFFIX,
    "unk_token": _LONGEST_PIECE,
}
# character maps are as long as they are, and what these make of a text is bounded by its growth
_BOUNDED_ELSEWHERE = frozenset(("precompiled_charsmap", "content", "prepend", "Regex"))


def find_fault(pipeline: tokenizers.Tokenizer) -> str | None:
    """Return what a tokenizer asks for that none needs; None if there is nothing of the kind."""
    steps = [step for part in (pipeline.normalizer, pipeline.pre_tokenizer) for step in _steps(_tree(part))]
    templates = [step for step in _steps(_tree(pipeline.post_processor)) if step.get("type") == "TemplateProcessing"]
    if len(steps) > _MOST_STEPS:
        return f"it has {len(steps)} steps before the model, expected at most {_MOST_STEPS}"
    if (long := _long_text(pipeline)) is not None:
        return f"its {in_short(long)} has more than {_LONGEST_TEXT:,} characters"
    patterns = [pattern for step in steps if isinstance(pattern := step.get("pattern"), dict)]
    faults = (
        *(_fault_of_pattern(pattern) for pattern in patterns),
        _fault_of_growth(steps),
        *map(_fault_of_template, templates),
        _fault_of_model(pipeline),
    )
    return next((fault for fault in faults if fault is not None), None)


def _long_text(pipeline: tokenizers.Tokenizer) -> str | None:
    """Return under which key a step holds a string that is longer than any needs; None if there is none."""
    rest: list[tuple[str, Any]] = [
        ("step", _tree(part)) for part in (pipeline.normalizer, pipeline.pre_tokenizer, pipeline.post_processor)
    ]
    while rest:
        key, value = rest.pop()
        if isinstance(value, dict):
            rest += value.items()
            rest += ((key, name) for name in value)
        elif isinstance(value, list):
            rest += ((key, one) for one in value)
        elif isinstance(value, str) and len(value) > _LONGEST_TEXT and key not in _BOUNDED_ELSEWHERE:
            return key
    return None


def _tree(part: Any) -> Any:
    return None if part is None else json.loads(part.__getstate__())


def _steps(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every step of a part of a pipeline, those of sequences one by one."""
    if isinstance(tree, list):
        for item in tree:
            yield from _steps(item)
    elif isinstance(tree, dict):
        inner = [value for key in ("normalizers", "pretokenizers", "processors") if (value := tree.get(key))]
        if inner:
            yield from _steps(inner)
        else:
            yield tree


def _fault_of_growth(steps: list[Mapping[str, Any]]) -> str | None:
    growth = 1
    for step in steps:
        growth *= _growth(step)
        if growth > _MOST_GROWTH:
            return f"its steps make more than {_MOST_GROWTH} characters of one"
    return None


def _growth(step: Mapping[str, Any]) -> int:
    """Return how many characters a step can make of one, at most."""
    kind, content = step.get("type"), step.get("content") or ""
    if kind == "Replace":
        pattern = step.get("pattern") or {}
        literal = pattern.get("String")
        return 1 if not content else -(-len(content) // len(literal)) if literal else len(content) + 1
    if kind == "Prepend":
        return 1 + len(step.get("prepend") or "")
    if kind == "Precompiled":
        return _longest_mapping(str(step.get("precompiled_charsmap") or ""))
    return {"ByteLevel": 4, "Metaspace": 2}.get(str(kind), 1)


def _longest_mapping(encoded: str) -> int:
    """Return the characters of the longest text in a character map of sentencepiece: a trie, then texts."""
    try:
        data = base64.b64decode(encoded)
    except ValueError:
        return 1  # the library cannot read it either
    texts = data[4 + int.from_bytes(data[:4], "little") :].split(b"\0")
    return max(1, *(len(text.decode("utf-8", "replace")) for text in texts))


def _fault_of_template(step: Mapping[str, Any]) -> str | None:
    for name, expected in (("single", ["A"]), ("pair", ["A", "B"])):
        found = [piece["Sequence"]["id"] for piece in step[name] if "Sequence" in piece]
        if found != expected:
            return f"its template for a {name} holds the texts {found[:9]}, expected {expected}"
    return None


def _fault_of_model(pipeline: tokenizers.Tokenizer) -> str | None:
    longest = max(map(len, pipeline.get_vocab(with_added_tokens=True)), default=0)
    if longest > _LONGEST_PIECE:
        return f"a token of it has {longest:,} characters, expected at most {_LONGEST_PIECE:,}"
    for name, most in _STRINGS.items():
        size = len(getattr(pipeline.model, name, None) or "")
        if size > most:
            return f"its {name} has {size:,} characters, expected at most {most:,}"
    word = getattr(pipeline.model, "max_input_chars_per_word", 0)
    if word > _LONGEST_WORD:
        return f"max_input_chars_per_word is {word}, expected at most {_LONGEST_WORD}"
    if getattr(pipeline.model, "dropout", None):
        return "its model has a dropout, which makes other tokens of the same text at each call"
    return None


def _fault_of_pattern(pattern: Mapping[str, Any]) -> str | None:
    if pattern.get("String") == "":
        return "a step of it looks for an empty text"
    source = pattern.get("Regex")
    why = why_endless(source) if isinstance(source, str) else None
    return None if why is None else f"its pattern {in_short(source)} may take for ever: {why}"

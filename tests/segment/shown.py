"""How units look in a table of cases: their kind, what they need, their text."""

from __future__ import annotations

from secateurs.segment import units


def shown(text: str) -> list[tuple[str, tuple[int, ...], str]]:
    """Return kind, frame and text of each unit."""
    return [(unit.kind, unit.frame, text[unit.start : unit.end]) for unit in units(text)]


def kinds(text: str) -> list[str]:
    """Return the kind of each unit."""
    return [unit.kind for unit in units(text)]


def texts(text: str) -> list[str]:
    """Return the text of each unit."""
    return [text[unit.start : unit.end] for unit in units(text)]


def needs(text: str, piece: str) -> set[str]:
    """Return the texts, stripped, of what the unit that holds a piece needs, and of what that needs, and so on."""
    found = units(text)
    left = [next(index for index, unit in enumerate(found) if piece in text[unit.start : unit.end])]
    seen: set[int] = set()
    while left:
        for other in found[left.pop()].frame:
            if other not in seen:
                seen.add(other)
                left.append(other)
    return {text[found[index].start : found[index].end].strip() for index in seen}

"""What a text needs of what stands before it, and the elements that are open around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from secateurs.segment.markup.names import LEVELS, SOURCES
from secateurs.segment.markup.tree import Element


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, and the one above it."""

    level: int
    unit: int
    above: Heading | None


@dataclass(frozen=True, slots=True)
class Lead:
    """What a text needs of what stands before it.

    Attributes:
        heading: The last heading, with those above it.
        items: The text of the list item around the list.
        header: The header row.
        term: What a definition defines.
        sources: Elements that name a source.
    """

    heading: Heading | None = None
    items: tuple[int, ...] = ()
    header: int = -1
    term: int = -1
    sources: tuple[int, ...] = ()

    def units(self) -> tuple[int, ...]:
        """Return the units, without -1."""
        heading = -1 if self.heading is None else self.heading.unit
        return tuple(one for one in (heading, *self.items, self.header, self.term, *self.sources) if one >= 0)


@dataclass(eq=False, slots=True)
class Open:
    """An element whose tags are units of their own, while it is open.

    Attributes:
        element: The element.
        unit: Its opening tag.
        lead: What stood above it.
        read: How many texts had been read before.
        own: The texts in it, where somebody may need them.
        length: Of these, in characters.
        cells: Tags of the cells of a row, which all stay; None where it is no row.
        sources: The elements in it that name a source: their names and units.
    """

    element: Element
    unit: int
    lead: Lead
    read: int
    own: list[int]
    length: int = 0
    cells: list[int] | None = None
    sources: dict[str, int] = field(default_factory=dict)


def level_of(one: Element) -> int | None:
    """Return the level of a heading; None if it is none, or nothing closes it and all that follows would be one."""
    return LEVELS.get(one.name) if one.end > one.close and one.known else None


def names_source(one: Element) -> bool:
    """Whether an element of XML says where its siblings come from."""
    return one.name in SOURCES and one.parent is not None and not one.parent.known

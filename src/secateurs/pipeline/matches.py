"""Which units of a document say what a unit of an earlier one says: looked up, a bounded number of times for each.

By its place in the source, by what it says, by what it nearly says. Units that follow each other in both documents
are one run; time is linear in the length of the documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from secateurs.pipeline.documents import Scored
from secateurs.policy import SourcePlace
from secateurs.policy.pointing import leans_on
from secateurs.policy.sameness import Saying
from secateurs.result.span import UnitPlace

_MOST = 8  # units that are tried for one, of each way of looking
_RUNS = 24  # and of all ways together
_FRAME = 64  # units of frame that are compared


@dataclass
class Run:
    """Units that follow each other in two documents.

    Attributes:
        first: Its first unit in the worse document.
        last: Its last one.
        anchor: The first of them that says the same whatever stands before it; None for none.
    """

    first: int
    last: int
    anchor: int | None = None


@dataclass
class Document:
    """A document whose units can be looked up; its units are those that a policy may choose.

    Attributes:
        index: Its index in the call.
        scored: The document.
        place: Where it stands in its source; None where that is not known.
        stays: Which of its units stay for their own sake.
    """

    index: int
    scored: Scored
    place: SourcePlace | None
    stays: list[bool] = field(init=False)
    _frames: dict[tuple[int, ...], frozenset[str] | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sentences = self.scored.sentences
        self.stays = [sentences[unit].kept and not sentences[unit].frame for unit in self.scored.choices]

    @cached_property
    def sayings(self) -> list[Saying]:
        """What its units say."""
        return [self._saying(unit) for unit in self.scored.choices]

    def span(self, one: int) -> tuple[str, int, int] | None:
        """Return where a unit stands in the source; None where that is not known."""
        if self.place is None:
            return None
        start, end = self.scored.parts.core(self.scored.choices[one])
        while start < end and self.scored.original[start].isspace():
            start += 1
        start += self.place.start
        return self.place.source, start, start + len(self.sayings[one].text)

    def frame(self, one: int) -> frozenset[str] | None:
        """Return what stands over a unit: headings, a table's header, a speaker; None where that is too much."""
        units = self.scored.parts.units
        direct = units[self.scored.choices[one]].frame
        if direct not in self._frames:
            found, waiting = set(direct), list(direct)
            while waiting and len(found) <= _FRAME:
                more = set(units[waiting.pop()].frame) - found
                found |= more
                waiting += more
            said = None if waiting else frozenset(self._saying(unit).key for unit in found)
            self._frames[direct] = said
        return self._frames[direct]

    def needed(self, one: int) -> bool:
        """Return whether the unit behind one stays, in the same paragraph, and points back at it."""
        after = one + 1
        if after >= len(self.stays) or not self.stays[after]:
            return False
        before, behind = (self.scored.sentences[self.scored.choices[place]] for place in (one, after))
        return leans_on(behind, before)

    def _saying(self, unit: int) -> Saying:
        parts = self.scored.parts
        start, end = parts.core(unit)
        return Saying(parts.original[start:end].strip(), parts.units[unit].kind)


At = tuple[int, int]  # place of a document among those looked at, and of its unit


class Library:
    """The units of the documents looked at so far."""

    def __init__(self, similarity: float) -> None:
        self.documents: list[Document] = []
        self._similarity = similarity
        self._said: dict[str, list[At]] = defaultdict(list)
        self._nearly: dict[tuple[int, int], list[At]] = defaultdict(list)
        self._begins: dict[tuple[str, int], list[At]] = defaultdict(list)
        self._ends: dict[tuple[str, int], list[At]] = defaultdict(list)

    def add(self, document: Document) -> None:
        """Add a document."""
        at = len(self.documents)
        self.documents.append(document)
        for one, saying in enumerate(document.sayings):
            _put(self._said[saying.key], (at, one))
            if self._similarity < 1.0 and saying.may_differ:
                for number in saying.sketch:
                    _put(self._nearly[number], (at, one))
            span = document.span(one)
            if span is not None:
                source, start, end = span
                _put(self._begins[source, start], (at, one))
                _put(self._ends[source, end], (at, one))

    def copies(self, document: Document) -> dict[int, At]:
        """Return which units of a worse document a unit that stays here says, and which one."""
        matches = self._matches(document)
        found = {}
        for one, runs in enumerate(matches):
            if not document.stays[one]:
                continue
            for at, run in sorted(runs.items()):
                if self._may_stand_for(document, one, at, run):
                    found[one] = at
                    break
        return found

    def _matches(self, document: Document) -> list[dict[At, Run]]:
        """Return for each unit those that say the same, with the run it is in."""
        matches: list[dict[At, Run]] = []
        before: dict[At, Run] = {}
        for one, saying in enumerate(document.sayings):
            here: dict[At, Run] = {}
            placed = set(self._placed(document, one))
            for at in (*placed, *self._same(saying, before)):
                if at in here or len(here) == _RUNS:
                    continue
                run = before.get((at[0], at[1] - 1)) or Run(one, one)
                run.last = one
                knows = not saying.leans or (at in placed and (one == 0 or run.first < one))
                if knows and run.anchor is None:
                    run.anchor = one
                here[at] = run
            matches.append(here)
            before = here
        return matches

    def _placed(self, document: Document, one: int) -> Iterator[At]:
        """Yield units that hold one at the same place of its source."""
        span = document.span(one)
        if span is None:
            return
        source, start, end = span
        text = document.sayings[one].text
        for at in self._begins.get((source, start), ()):
            if self._saying(at).text.startswith(text):
                yield at
        for at in self._ends.get((source, end), ()):
            if self._saying(at).text.endswith(text):
                yield at

    def _same(self, saying: Saying, before: Mapping[At, Run]) -> Iterator[At]:
        """Yield units that say the same or nearly; of the many that may, those that go on a run are surely there."""
        for at, one in before:
            if one + 1 < len(self.documents[at].sayings) and self._saying((at, one + 1)).key == saying.key:
                yield at, one + 1
        yield from self._said.get(saying.key, ())
        if self._similarity < 1.0 and saying.may_differ:
            tried = dict.fromkeys(at for number in saying.sketch for at in self._nearly.get(number, ()))
            yield from (at for at in list(tried)[:_MOST] if saying.nearly(self._saying(at), self._similarity))

    def _may_stand_for(self, document: Document, one: int, at: At, run: Run) -> bool:
        """Return whether a unit that says the same may stand for one: it stays, and nothing is lost by it."""
        other, unit = self.documents[at[0]], at[1]
        if not other.stays[unit] or not document.sayings[one].text:
            return False
        whole = run.first == 0 and run.last + 1 == len(document.stays) == len(other.stays) and unit == one
        known = run.anchor is not None and (one >= run.anchor or run.first == 0)
        if not (whole or known):
            return False
        mine, its = document.frame(one), other.frame(unit)
        return mine is not None and its is not None and mine <= its

    def place(self, at: At) -> UnitPlace:
        """Return which unit of which document of the call one is."""
        document = self.documents[at[0]]
        return UnitPlace(document.index, document.scored.choices[at[1]])

    def _saying(self, at: At) -> Saying:
        return self.documents[at[0]].sayings[at[1]]


def _put(shelf: list[At], at: At) -> None:
    if len(shelf) < _MOST:
        shelf.append(at)

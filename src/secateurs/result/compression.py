"""One document's result, and what one call of an adapter did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, Self

from secateurs.errors import beginning, printable, shorten
from secateurs.result.join import Parts, Slice
from secateurs.result.savings import Savings
from secateurs.result.span import Highlight, Sentence, Span, UnitPlace, merge_spans
from secateurs.support.arguments import check_threshold

if TYPE_CHECKING:
    from secateurs.result.hidden import Hidden
    from secateurs.result.token_scores import TokenScores

_LONGEST_LINE = 200  # characters of an error's reason, where a result is printed

Status = Literal["compressed", "unchanged", "dropped", "error"]


class _Carrier:
    """Has room for what a result carries along without saying it: no field, so it is not in `asdict` either."""

    __slots__ = ("_parts", "_token_scores")


@dataclass(frozen=True, slots=True, repr=False)
class Compression(_Carrier):
    """One document after compression; printed, it is a line that says what was kept and saved.

    Attributes:
        text: What to send to the LLM: the kept units and what they need around them, verbatim and in source order;
            between two with something cut between them, the strongest white space of the gap.
        original: The document as it came in.
        sentences: All units; together they tile `original` without gap or overlap.
        savings: LLM tokens before and after.
        status: `"compressed"`, `"unchanged"` (then `text == original`), `"dropped"` (then `text == ""`) or
            `"error"` (then `text == original`).
        reason: Why: None for `"compressed"`; `"nothing_cut"`, `"no_gain"` or `"blank"` for `"unchanged"`;
            `"nothing_passed"` for `"dropped"`, or `"nothing_new"` where all that passed is said in better-ranked
            documents and one copy was asked for (`Distinct`); `"error: ..."` for `"error"`.
        ranking_score: Relevance of the whole document, a probability in [0, 1] (sigmoid of the ranking head's
            logit, best window); None where the checkpoint has no ranking head or the model was not asked.
        warnings: `"query_shortened"` (the query was cut to three quarters of the window), `"sentence_split"`
            (a sentence was scored in parts because it is longer than its family scores at once: half a window
            in the OpenProvence layout, a window in the others).
        policy: What decided: the policy's `repr`, and behind commas `Distinct()` where one copy was asked for and
            `max_total_tokens=...` where a budget for all documents was spent. None where nothing was to be decided.
            No part of equality or `to_dict`.
    """

    text: str
    original: str
    sentences: tuple[Sentence, ...]
    savings: Savings
    status: Status
    reason: str | None = None
    ranking_score: float | None = None
    warnings: tuple[str, ...] = ()
    policy: str | None = field(default=None, compare=False)

    @property
    def kept(self) -> tuple[Sentence, ...]:
        """The units that stayed, in source order, those that came along as frame among them."""
        return tuple(sentence for sentence in self.sentences if sentence.kept)

    @property
    def cut(self) -> tuple[Sentence, ...]:
        """The units that went, in source order, each with its score and its place in `original`."""
        return tuple(sentence for sentence in self.sentences if not sentence.kept)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The kept ranges of `original`, neighbours merged."""
        return merge_spans((sentence.start, sentence.end) for sentence in self.kept)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The parts of `original` that `text` is made of, in order, and where each stands in it.

        Between them stands what joins them: white space of a gap, an elision mark.

        Example:
            >>> from secateurs import Compressor, TopK
            >>> document = "It rained. Ann Lee wrote it. Nobody knows why."
            >>> result = Compressor.from_pretrained().compress("Who wrote it?", [document], policy=TopK(1))[0]
            >>> [(document[one.start : one.end], one.at) for one in result.slices]
            [('Ann Lee wrote it.', 0)]
        """
        if self.text == self.original:
            return (Slice(0, len(self.text), 0),) if self.text else ()
        if self.parts is not None:
            return tuple(self.parts.slices([unit.kept for unit in self.sentences]))
        lengths = accumulate((end - start for start, end in self.spans), initial=0)
        found = tuple(Slice(start, end, at) for (start, end), at in zip(self.spans, lengths, strict=False))
        return found if "".join(self.original[start:end] for start, end, _ in found) == self.text else ()

    @property
    def parts(self) -> Parts | None:
        """The units with their frames, and what puts others of them together; None where nobody carried them along.

        As `token_scores` they are no field: `dataclasses.replace` drops them.
        """
        return getattr(self, "_parts", None)

    @property
    def token_scores(self) -> TokenScores | None:
        """Scores of single encoder tokens; None where the family has none, or the document was not scored.

        They are carried along for `highlights` (4 bytes a token) and are no field: `dataclasses.replace` drops them.
        """
        return getattr(self, "_token_scores", None)

    def with_token_scores(self, token_scores: TokenScores | None) -> Self:
        """Return an equal result that carries these token scores."""
        return self._carrying(self.parts, token_scores)

    def with_parts(self, parts: Parts | None) -> Self:
        """Return an equal result that carries these units."""
        return self._carrying(parts, self.token_scores)

    def _carrying(self, parts: Parts | None, token_scores: TokenScores | None) -> Self:
        carrying = replace(self)
        object.__setattr__(carrying, "_parts", parts)
        object.__setattr__(carrying, "_token_scores", token_scores)
        return carrying

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy what is carried along with the fields."""
        return _restore, ([getattr(self, one.name) for one in fields(self)], self.parts, self.token_scores)

    def highlights(self, min_score: float) -> tuple[Highlight, ...] | None:
        """Return the parts of sentences whose tokens score at least `min_score`: finer than sentences.

        The first call on a result tokenizes its document again to find where the tokens stand; further ones do not.

        Args:
            min_score: A probability in [0, 1], compared with single tokens, which spread more than sentences do.

        Returns:
            Disjoint spans of `original`, kept or cut, in source order; each lies in one sentence. A lower `min_score`
            never covers less. None where there are no token scores: the checkpoint's head reads whole sentences
            (`opensearch`), or the document failed.

        Raises:
            ValueError, TypeError: `min_score` is no probability.

        Example:
            >>> from secateurs import Compressor
            >>> document = "Yorgos Lanthimos directed it. He wrote it together with Efthymis Filippou."
            >>> result = Compressor.from_pretrained().compress("Who wrote the film?", [document])[0]
            >>> [highlight.text for highlight in result.highlights(0.85)]
            ['He wrote it together with Efthymis Filippou.']
        """
        least = check_threshold(min_score, "min_score")
        return None if self.token_scores is None else self.token_scores.highlights(least)

    @property
    def hidden_characters(self) -> tuple[Hidden, ...]:
        """The characters of `original` that a reader does not see, kept or cut, in source order.

        Runs of one kind (bidirectional controls, tags, zero-width, ...), each inside one sentence; what writing
        needs, as the joiners of an emoji, is none of them. They are never changed, only told: a compression is no
        sanitiser. Looked up at each call.

        Example:
            >>> text = "It rained." + chr(0x202E)
            >>> whole = (Sentence(0, 11, text, 0.9, True),)
            >>> found = Compression(text, text, whole, Savings(4, 4), "unchanged", "nothing_cut").hidden_characters
            >>> [(one.start, one.kind, one.kept, one.names) for one in found]
            [(10, 'bidi', True, ('RIGHT-TO-LEFT OVERRIDE',))]
        """
        from secateurs.result.hidden import find

        return tuple(one for s in self.sentences for one in find(self.original, s.start, s.end, kept=s.kept))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON types only (without `original`, which is the caller's own).

        Example:
            >>> sorted(Compression("", "", (), Savings(0, 0), "unchanged", "blank").to_dict())
            ['ranking_score', 'reason', 'savings', 'sentences', 'spans', 'status', 'text', 'warnings']
        """
        return {
            "status": self.status,
            "reason": self.reason,
            "warnings": list(self.warnings),
            "ranking_score": self.ranking_score,
            "text": self.text,
            "spans": [[start, end] for start, end in self.spans],
            "sentences": [sentence.to_dict() for sentence in self.sentences],
            "savings": self.savings.to_dict(),
        }

    def __str__(self) -> str:
        if self.status == "error":
            return shorten(printable(f"returned whole, {self.reason}"), _LONGEST_LINE)
        return f"{len(self.kept):,} of {len(self.sentences):,} units kept, {self.savings}"

    def __repr__(self) -> str:
        decided = "" if self.policy is None else f", policy={shorten(printable(self.policy), _LONGEST_LINE)}"
        return f"<Compression {self.status}: {self}, {beginning(self.text)}{decided}>"

    def to_html(self) -> str:
        """Return an HTML fragment that shows the document, kept units marked and cut ones dimmed."""
        from secateurs.result.html import to_html

        return to_html(self)

    def _repr_html_(self) -> str:
        """Show the document in a notebook cell."""
        return self.to_html()


def renumbered(result: Compression, places: Sequence[int]) -> Compression:
    """Return a result whose copies point into another list of documents.

    Args:
        result: The result.
        places: The index in the other list of each document of its call.
    """
    if all(unit.copy_of is None for unit in result.sentences):
        return result
    units = tuple(
        unit
        if unit.copy_of is None
        else replace(unit, copy_of=UnitPlace(places[unit.copy_of.document], unit.copy_of.unit))
        for unit in result.sentences
    )
    return replace(result, sentences=units).with_parts(result.parts).with_token_scores(result.token_scores)


def _restore(values: Sequence[Any], parts: Parts | None, token_scores: TokenScores | None) -> Compression:
    return Compression(*values).with_parts(parts).with_token_scores(token_scores)

"""LLM tokens, counted as tiktoken counts them, offline; and what a compression saved of them.

The rank files of `o200k_base` and `cl100k_base` are package data, so both count exactly on a machine without a
network. Text is counted as plain text: `<|endoftext|>` and its like in a document are ordinary characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from secateurs.result.encoders import Encoder, check_encoding, find_encoder, is_bundled

# Runs that nobody writes are counted in pieces, and the count is flagged: of a million letters in a row, merging
# takes longer the longer the run, and on a million white-space characters tiktoken's regular expression engine
# overflows its stack. A run is looked for at every so many characters only: that is linear, whatever the text.
_LONG_WORD = 65_536
_LONG_BLANK = 400_000
_RUNS = ((_LONG_WORD, re.compile(rf"[^\s\d]{{{_LONG_WORD}}}")), (_LONG_BLANK, re.compile(rf"\s{{{_LONG_BLANK}}}")))
# tiktoken joins pairs and replaces the rest, too, but takes a microsecond for each
_LONE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")


@dataclass(frozen=True, slots=True)
class Savings:
    """LLM tokens before and after compression.

    Adds with `+` and `sum`; counts of different encodings do not add.

    Attributes:
        before: LLM tokens of the original document.
        after: LLM tokens of the compressed text, at most `before`.
        encoding: Name of the tiktoken encoding both were counted in.
        exact: False where the encoding could not be loaded and `o200k_base` stood in for it.

    Example:
        >>> sum([Savings(100, 30), Savings(50, 50)])
        Savings(before=150, after=80, encoding='o200k_base', exact=True)
        >>> Savings(1000, 250).saved_fraction
        0.75
    """

    before: int
    after: int
    encoding: str = "o200k_base"
    exact: bool = True

    @property
    def saved(self) -> int:
        """LLM tokens saved: `before - after`."""
        return self.before - self.after

    @property
    def saved_fraction(self) -> float:
        """Share of the LLM tokens saved, in [0, 1]; 0.0 where there were none."""
        return self.saved / self.before if self.before else 0.0

    @property
    def percent(self) -> str:
        """`saved_fraction` for people; next to the ends with a decimal, and cut there: 100% means all.

        Example:
            >>> Savings(146, 71).percent, Savings(5876, 23).percent, Savings(9, 0).percent
            ('51%', '99.6%', '100%')
        """
        tenths = self.saved * 1000 // self.before if self.before else 0
        if not self.saved or not self.after or 10 <= tenths < 990:
            return f"{self.saved_fraction:.0%}"
        return f"{tenths / 10:.1f}%" if tenths else "<0.1%"

    def __str__(self) -> str:
        return f"{self.before:,} → {self.after:,} tokens ({self.percent.replace('%', ' %')})"

    def cost(self, price_per_million: float) -> float:
        """Return the money saved.

        Args:
            price_per_million: Price of a million input tokens, in any currency.

        Returns:
            The price of the saved tokens, in the same currency.

        Example:
            >>> Savings(4_000_000, 1_000_000).cost(price_per_million=2.5)
            7.5
        """
        return self.saved * price_per_million / 1_000_000

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON types."""
        return {
            "before": self.before,
            "after": self.after,
            "saved": self.saved,
            "saved_fraction": self.saved_fraction,
            "encoding": self.encoding,
            "exact": self.exact,
        }

    def __add__(self, other: Savings) -> Savings:
        if not isinstance(other, Savings):
            return NotImplemented
        if other.encoding != self.encoding:
            raise ValueError(
                f"cannot add savings counted in {self.encoding!r} and {other.encoding!r}: "
                "token counts of different encodings have different units. Compress with one `encoding`."
            )
        exact = self.exact and other.exact
        return Savings(self.before + other.before, self.after + other.after, self.encoding, exact)

    def __radd__(self, other: int) -> Savings:
        """Let `sum()` start from its integer 0."""
        return self if other == 0 else NotImplemented


class TokenCounter:
    """Counts LLM tokens in one encoding; safe to call from many threads.

    The ranks are read at the first count, not when the counter is made.

    Args:
        encoding: A tiktoken encoding name. `o200k_base`, `o200k_harmony` and `cl100k_base` need no network; others
            come from tiktoken's own cache, or are downloaded. Where they cannot be had, or not in ten seconds,
            `o200k_base` stands in and `exact` is False; a minute later they are asked for again.

    Raises:
        ValueError: tiktoken knows no such encoding.

    Example:
        >>> TokenCounter()("Cut it down, keep what matters.")
        8
    """

    def __init__(self, encoding: str = "o200k_base") -> None:
        check_encoding(encoding)
        self.encoding = encoding

    def __call__(self, text: str) -> int:
        """Return the number of LLM tokens of a text."""
        encode = self._encoder().encoding.encode_ordinary
        return sum([len(encode(piece)) for piece in _pieces(text)])

    def exact(self, text: str = "") -> bool:
        """Return whether the count of this text is tiktoken's own."""
        return self._encoder().exact and not _cuts(text)

    def steady(self) -> TokenCounter:
        """Return a counter that goes on with what counts now, so that counts made one after the other are comparable.

        What stands in for an encoding gives way to it when it comes.
        """
        return self if is_bundled(self.encoding) else _Steady(self.encoding, self._encoder())

    def savings(self, before: int, after: int, *, exact: bool) -> Savings:
        """Return two counts of this counter as Savings."""
        return Savings(before, after, self.encoding, exact)

    def _encoder(self) -> Encoder:
        return find_encoder(self.encoding)


class _Steady(TokenCounter):
    def __init__(self, encoding: str, encoder: Encoder) -> None:
        super().__init__(encoding)
        self._kept = encoder

    def _encoder(self) -> Encoder:
        return self._kept


def _cuts(text: str) -> list[int]:
    """Return where a text is cut to be counted: inside runs that are too long; nowhere in what people write."""
    if len(text) < _LONG_WORD:
        return []
    found = {
        start
        for length, run in _RUNS
        for start in range(length, len(text) - length + 1, length)
        if run.match(text, start)
    }
    return sorted(found)


def _pieces(text: str) -> list[str]:
    if not text.isascii():
        try:
            text.encode()  # far quicker than a search
        except UnicodeEncodeError:
            text = _LONE.sub("\ufffd", text).encode("utf-16", "surrogatepass").decode("utf-16")
    cuts = _cuts(text)
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

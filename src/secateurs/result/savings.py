"""LLM tokens, counted as tiktoken counts them, offline; and what a compression saved of them.

The rank files of `o200k_base` and `cl100k_base` are package data, so both count exactly on a machine without a
network. Text is counted as plain text: `<|endoftext|>` and its like in a document are ordinary characters.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from binascii import a2b_base64
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from secateurs.support.fork import ForkLock

if TYPE_CHECKING:
    import tiktoken

_BUNDLED = ("o200k_base", "cl100k_base")
_SAME_RANKS = {"o200k_harmony": "o200k_base"}  # differs in special tokens only, which plain text never becomes
_LOCK = ForkLock()

# tiktoken's regular expression engine overflows its stack, and takes the process's error stream with it, on
# about a million white-space characters in a row; such runs are counted in pieces, and the count is flagged.
_LONG_BLANK = re.compile(r"\s{500000}")


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
            come from tiktoken's own cache, and where they cannot be had, `o200k_base` stands in and `exact` is False.

    Raises:
        ValueError: tiktoken knows no such encoding.

    Example:
        >>> TokenCounter()("Cut it down, keep what matters.")
        8
    """

    def __init__(self, encoding: str = "o200k_base") -> None:
        _check_encoding(encoding)
        self.encoding = encoding

    def __call__(self, text: str) -> int:
        """Return the number of LLM tokens of a text."""
        encoder = _load(self.encoding)[0]
        return sum(len(encoder.encode_ordinary(piece)) for piece in _pieces(text))

    def exact(self, text: str = "") -> bool:
        """Return whether the count of this text is tiktoken's own."""
        return _load(self.encoding)[1] and _LONG_BLANK.search(text) is None

    def savings(self, before: int, after: int, *, exact: bool) -> Savings:
        """Return two counts of this counter as Savings."""
        return Savings(before, after, self.encoding, exact)


def _pieces(text: str) -> list[str]:
    pieces = []
    start = 0
    for run in _LONG_BLANK.finditer(text):
        pieces.append(text[start : run.end()])
        start = run.end()
    pieces.append(text[start:])
    return pieces


def _check_encoding(encoding: str) -> None:
    if not isinstance(encoding, str):
        raise TypeError(f"encoding must be the name of a tiktoken encoding, got {encoding!r}")
    if encoding in _BUNDLED or encoding in _SAME_RANKS:
        return
    import tiktoken

    known = tiktoken.list_encoding_names()
    if encoding not in known:
        raise ValueError(
            f"unknown encoding {encoding!r}: tiktoken knows {', '.join(sorted(known))}. "
            "For a model's name, ask tiktoken.encoding_name_for_model(model)."
        )


def _load(encoding: str) -> tuple[tiktoken.Encoding, bool]:
    with _LOCK:  # two threads would otherwise both read 200,000 ranks
        return _load_once(encoding)


@lru_cache(maxsize=8)
def _load_once(encoding: str) -> tuple[tiktoken.Encoding, bool]:
    name = _SAME_RANKS.get(encoding, encoding)
    if name in _BUNDLED:
        return _bundled(name), True
    import tiktoken

    try:
        return tiktoken.get_encoding(encoding), True
    except Exception:  # whatever kept tiktoken from its cache and the network, a flagged count is better than none
        return _bundled("o200k_base"), False


@lru_cache(maxsize=len(_BUNDLED))
def _bundled(name: str) -> tiktoken.Encoding:
    import tiktoken

    folder = files("secateurs.result") / "encodings"
    facts = json.loads((folder / "encodings.json").read_text(encoding="utf-8"))[name]
    ranks = gzip.decompress((folder / f"{name}.tiktoken.gz").read_bytes())
    if hashlib.sha256(ranks).hexdigest() != facts["sha256"]:
        raise RuntimeError(
            f"the rank file of {name} in this installation is damaged (checksum differs). Reinstall secateurs."
        )
    words = ranks.split()  # a token in base64 and its rank, a line each
    return tiktoken.Encoding(
        name,
        pat_str=facts["pattern"],
        mergeable_ranks=dict(zip(map(a2b_base64, words[::2]), map(int, words[1::2]), strict=True)),
        special_tokens=facts["special_tokens"],
    )

"""Which records of a file are measured: the dev sample, or all; and the two halves.

The dev sample of a file: its records in order of sha256(id), ambiguous ones left out, the first 200, ending before
the record that would pass 60,000 encoder tokens of the bundled tokenizer. It depends on nothing but the data.
Records at even places of that order are the calibration half (thresholds may be chosen there), those at odd places
the report half. Records that name a group (several queries of one document) are halved by the order of their groups,
so that no document is in both.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator

from secateurs.evaluate.records import Record

RECORDS = 200
TOKENS = 60_000

Length = Callable[[Record], int]


def take_sample(
    records: Iterable[Record], length: Length, *, most: int = RECORDS, tokens: int = TOKENS
) -> list[Record]:
    """Return the dev sample of one file.

    Args:
        records: The file's records, in any order; read once, `most` of them are held.
        length: Encoder tokens of a record, query and document together.
        most: Records.
        tokens: Encoder tokens, all records together.

    Returns:
        The sample, in order of sha256(id).
    """
    usable = (record for record in records if not record.ambiguous)
    first = heapq.nsmallest(most, usable, key=lambda record: digest(record.id))
    total = 0
    for index, record in enumerate(first):
        total += length(record)
        if total > tokens:
            return first[:index]
    return first


def strict(records: Iterable[Record]) -> Iterator[Record]:
    """Leave ambiguous records out."""
    return (record for record in records if not record.ambiguous)


def digest(name: str) -> str:
    """Return the sha256 of a record's id, as hexadecimal digits; the dev sample's order.

    Example:
        >>> digest("a")[:8]
        'ca978112'
    """
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def encoder_length() -> Length:
    """Return a function that counts a record's tokens with the bundled checkpoint's tokenizer."""
    import tokenizers

    from secateurs.checkpoints import locate

    pipeline = tokenizers.Tokenizer.from_file(str(locate() / "tokenizer.json"))
    pipeline.no_truncation()

    def length(record: Record) -> int:
        pieces = pipeline.encode_batch([record.query, record.context], add_special_tokens=False)
        return sum(len(piece) for piece in pieces)

    return length

"""Real documents: the user's own, or, where none are given, the bundled model's card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path

from secateurs.bench.corpus import QUERY, Corpus
from secateurs.checkpoints import locate
from secateurs.evaluate.measure import find_files
from secateurs.evaluate.records import Record, read_records
from secateurs.evaluate.sample import take_sample

DOCUMENTS = 64
CHUNK = 1500  # characters of a chunk of the card


def read_corpus(data: Sequence[Path], documents: int) -> Corpus:
    """Read documents from labelled data, evenly from its files; their labels are not looked at.

    All are compressed for the query of the first: what a document says does not matter to the clock.

    Args:
        data: Files, or folders of them, as `secateurs evaluate` takes them.
        documents: How many at most.

    Raises:
        ValueError: There is no document in the files.
    """
    records = [_sample(path, documents) for path in find_files(data)]
    turns = (record for record in chain.from_iterable(zip_longest(*records)) if record is not None)
    first: dict[str, Record] = {}
    for record in turns:
        if record.context.strip():
            first.setdefault(record.context, record)
    if not first:
        names = ", ".join(path.name for path in data)
        raise ValueError(f"--data {names} holds no document that is not blank: pass files that hold some.")
    texts = tuple(islice(first, documents))
    return Corpus(first[texts[0]].query, texts)


def _sample(path: Path, most: int) -> list[Record]:
    """Return records that are the same whatever their order in the file, one a document."""
    return take_sample(_distinct(read_records(path)), lambda _: 0, most=most)


def _distinct(records: Iterable[Record]) -> Iterable[Record]:
    seen: set[int] = set()
    for record in records:
        key = hash(record.context)  # not the text itself: a file may be larger than memory
        if key not in seen:
            seen.add(key)
            yield record


def read_card() -> Corpus:
    """Cut the bundled model's card into chunks at blank lines: prose, lists and tables, as splitters leave them."""
    text = (locate() / "README.md").read_text(encoding="utf-8")
    chunks: list[str] = []
    for paragraph in text.split("\n\n"):
        if chunks and len(chunks[-1]) + len(paragraph) + 2 <= CHUNK:
            chunks[-1] += f"\n\n{paragraph}"
        else:
            chunks.append(paragraph)
    return Corpus(QUERY, tuple(dict.fromkeys(filter(str.strip, chunks))))

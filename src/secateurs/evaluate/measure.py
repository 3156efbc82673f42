"""Run systems over files; of the records stay numbers, and one example of a miss each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from secateurs.evaluate.ladder import Count, Ints, Ladder, build
from secateurs.evaluate.misses import Miss, find_miss
from secateurs.evaluate.records import Record, read_records
from secateurs.evaluate.sample import Length, digest, strict, take_sample
from secateurs.evaluate.systems import System
from secateurs.support.paths import exists, is_folder

_RECORDS_AT_ONCE = 32
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json.gz", ".parquet")

Load = Callable[[Path], Iterable[Record]]
Tick = Callable[[int], object]


@dataclass(frozen=True)
class FileRun:
    """One file under one system.

    Attributes:
        name: The file's name without its suffix.
        ladders: One a record.
        langs: Language of each record; that of query and document where they differ.
        places: Place of each record's group in order of sha256, which decides its half.
        misses: The right unit of each record that scored lowest, None where there is none.

    Shape:
        places: (records,).
    """

    name: str
    ladders: tuple[Ladder, ...]
    langs: tuple[str, ...]
    places: Ints
    misses: tuple[Miss | None, ...]

    def half(self, which: str) -> FileRun:
        """Return the `"calibration"` half (even places), the `"report"` half (odd places) or `"all"`."""
        wanted = {"calibration": (0,), "report": (1,), "all": (0, 1)}[which]
        keep = [index for index, place in enumerate(self.places) if int(place) % 2 in wanted]
        return FileRun(
            self.name,
            tuple(self.ladders[index] for index in keep),
            tuple(self.langs[index] for index in keep),
            self.places[keep],
            tuple(self.misses[index] for index in keep),
        )


@dataclass(frozen=True)
class SystemRun:
    """All files under one system.

    Attributes:
        name: The system.
        files: Its files.
        probabilities: Whether its scores are meant as probabilities.
    """

    name: str
    files: tuple[FileRun, ...]
    probabilities: bool = True

    def half(self, which: str) -> SystemRun:
        """Return one half of every file; files of which nothing is left are left out."""
        halves = (file.half(which) for file in self.files)
        return SystemRun(self.name, tuple(file for file in halves if file.ladders), self.probabilities)

    @property
    def failed(self) -> int:
        """Documents that the system could not score."""
        return sum(ladder.failed for file in self.files for ladder in file.ladders)


def measure(
    system: System, paths: Sequence[Path], *, load: Load, count: Count, tick: Tick = lambda records: None
) -> SystemRun:
    """Run one system over files.

    Args:
        system: What to measure.
        paths: The files.
        load: Reads the records of a file that are to be measured.
        count: Counts the LLM tokens of a text.
        tick: Called with the number of records just done.

    Returns:
        Its ladders.
    """
    names = file_names(paths)
    files = tuple(_file(system, names[path], load(path), count, tick) for path in paths)
    return SystemRun(system.name, files, system.probabilities)


def _file(system: System, name: str, records: Iterable[Record], count: Count, tick: Tick) -> FileRun:
    ladders: list[Ladder] = []
    langs: list[str] = []
    digests: list[str] = []
    misses: list[Miss | None] = []
    for some in batches(records):
        scored = system.score(some)
        ladders += [build(record, result, count) for record, result in zip(some, scored, strict=True)]
        langs += [record.languages for record in some]
        digests += [digest(record.group or record.id) for record in some]
        misses += [find_miss(record, result) for record, result in zip(some, scored, strict=True)]
        tick(len(some))
    order = {name: place for place, name in enumerate(sorted(set(digests)))}
    places = np.array([order[name] for name in digests], dtype=np.int64)
    return FileRun(name, tuple(ladders), tuple(langs), places, tuple(misses))


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Cut a stream of records into lists that are scored together."""
    stream = iter(records)
    while some := list(islice(stream, _RECORDS_AT_ONCE)):
        yield some


def sampled(length: Length) -> Load:
    """Return a loader of dev samples; each is read once and held (200 records a file)."""
    held: dict[Path, list[Record]] = {}

    def load(path: Path) -> list[Record]:
        if path not in held:
            held[path] = take_sample(read_records(path), length)
        return held[path]

    return load


def whole(path: Path) -> Iterator[Record]:
    """Stream all records of a file but the ambiguous ones."""
    return strict(read_records(path))


def find_files(data: Sequence[Path]) -> list[Path]:
    """Return the data files among paths; of a folder all in it, by name.

    Raises:
        ValueError: A path is no data file, or a folder holds none.
        FileNotFoundError: There is no such path.
    """
    found: list[Path] = []
    for path in data:
        if is_folder(path):
            inside = sorted(file for file in path.iterdir() if file.name.endswith(_SUFFIXES))
            if not inside:
                raise ValueError(f"{path} holds no data: expected files named *{', *'.join(_SUFFIXES)}.")
            found += inside
        elif not exists(path):
            raise FileNotFoundError(f"no such file: {path}")
        elif not path.name.endswith(_SUFFIXES):
            raise ValueError(f"{path} is not named like data: expected *{', *'.join(_SUFFIXES)}.")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def file_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Name files for the reports: as short as tells them apart."""
    shapes: tuple[Callable[[Path], str], ...] = (
        lambda path: path.name[: -max(len(suffix) for suffix in _SUFFIXES if path.name.endswith(suffix))],
        lambda path: path.name,
        lambda path: f"{path.parent.name}/{path.name}",
    )
    for shape in shapes:
        names = [shape(path) for path in paths]
        if len(set(names)) == len(names):
            return dict(zip(paths, names, strict=True))
    return {path: str(path) for path in paths}


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

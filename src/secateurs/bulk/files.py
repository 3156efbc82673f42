"""Which files come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from secateurs.support.paths import is_file, is_folder


class Format(StrEnum):
    """Formats of files."""

    jsonl = "jsonl"
    parquet = "parquet"


_ENDINGS = {
    ".jsonl": Format.jsonl,
    ".jsonl.gz": Format.jsonl,
    ".ndjson": Format.jsonl,
    ".ndjson.gz": Format.jsonl,
    ".parquet": Format.parquet,
}
_KNOWN = ", ".join(_ENDINGS)


@dataclass(frozen=True, slots=True)
class File:
    """One file of the input.

    Attributes:
        name: Its path below the input folder, with slashes; the name alone where the input is one file.
        path: Where it is.
        format: What it holds.
    """

    name: str
    path: Path
    format: Format


def find_files(source: Path) -> list[File]:
    """Return the files of an input, by name.

    Args:
        source: A file, or a folder that is searched with all its folders. Names that begin with a dot or an
            underscore are passed over, as everywhere in this trade.

    Raises:
        ValueError: There is no file of a known format, or one is a link out of the folder.
    """
    if is_file(source):
        kind = _format(source)
        if kind is None:
            raise ValueError(f"{source} is of no known format: expected a name that ends in {_KNOWN}.")
        return [File(source.name, source, kind)]
    if not is_folder(source):
        raise ValueError(f"no such file or folder: {source}")
    found = []
    home = source.resolve()
    for path in source.rglob("*"):
        below = path.relative_to(source)
        kind = _format(path)
        if kind is not None and not any(part.startswith((".", "_")) for part in below.parts) and is_file(path):
            if not path.resolve().is_relative_to(home):
                raise ValueError(
                    f"{path} is a link out of {source}, to {path.resolve()}, and what is read there could be copied "
                    "into the output. Put the file itself there, or name it as IN."
                )
            found.append(File(below.as_posix(), path, kind))
    if not found:
        raise ValueError(f"{source} holds no input: expected files whose names end in {_KNOWN}.")
    return sorted(found, key=lambda file: file.name)


def check_apart(source: Path, output: Path) -> None:
    """Refuse an output that would become input of the next run, and one that is the input."""
    inside, outside = output.resolve(), source.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise ValueError(f"{output} and {source} lie in each other: name an output folder beside the input.")


def output_format(files: Sequence[File], wanted: Format | None) -> Format:
    """Return the format to write: the one asked for, else Parquet where all of the input is, else JSON lines."""
    if wanted is not None:
        return wanted
    return Format.parquet if all(file.format is Format.parquet for file in files) else Format.jsonl


def _format(path: Path) -> Format | None:
    name = path.name.lower()
    return next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)

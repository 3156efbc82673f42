"""The files of an output. A shard is there whole or not at all, whatever is killed when.

A part is written under a temporary name, synced and renamed; then its receipt is, and only the receipt makes the part
count. Two workers that write the same shard write the same bytes, so the second does no harm.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.errors import Error
from secateurs.support.files import remove_unfinished, replace_file

Facts = Mapping[str, Any]
_TEMPORARY = ".writing"


class OutputError(Error):
    """The output cannot be used or written; what it holds is safe."""


@dataclass(frozen=True)
class Output:
    """Where everything is.

    Attributes:
        folder: The output folder.
        ending: Of the parts' names, without the dot.
        shards: How many parts there will be.
    """

    folder: Path
    ending: str
    shards: int

    @property
    def manifest(self) -> Path:
        """What the run was begun with."""
        return self.folder / "_manifest.json"

    @property
    def errors(self) -> Path:
        """Rows that could not be read."""
        return self.folder / "_errors.jsonl"

    @property
    def totals(self) -> Path:
        """What was saved."""
        return self.folder / "_totals.json"

    def part(self, number: int) -> Path:
        """Return the path of a part; names sort in the order of the input."""
        return self.folder / f"part-{self._name(number)}.{self.ending}"

    def receipt(self, number: int) -> Path:
        """Return the path of a part's receipt."""
        return self.folder / "_shards" / f"{self._name(number)}.json"

    def finished(self, number: int, run: str) -> Facts | None:
        """Return the receipt of a part that is finished and undamaged, else None.

        Args:
            number: The shard.
            run: The digest of the manifest.
        """
        try:
            facts: Facts = json.loads(self.receipt(number).read_bytes())
            with self.part(number).open("rb") as part:
                whole = hashlib.file_digest(part, "sha256").hexdigest() == facts["part"]["sha256"]
            return facts if whole and facts["run"] == run else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def attempt(self, number: int) -> int:
        """Note that a worker begins a shard, and return how often one has without finishing it, in this run."""
        path = self._attempts(number)
        with path.open("ab") as file:
            file.write(b"x")
        return path.stat().st_size

    def note_row(self, number: int, row: int, *, done: bool = False) -> None:
        """Note that a worker tries a row of a shard by itself, or is through with it."""
        with self._rows(number).open("ab") as file:
            file.write(b"%d\n" % (-row if done else row))

    def tried_rows(self, number: int) -> dict[int, int]:
        """Return how many workers died of each row of a shard that was tried by itself; 0 where one got through."""
        try:
            noted = Counter(map(int, self._rows(number).read_bytes().split()))
        except FileNotFoundError:
            return {}
        return {row: 0 if noted[-row] else times for row, times in noted.items() if row > 0}

    def close(self, number: int, receipt: Facts) -> None:
        """Make a part count."""
        write_json(self.receipt(number), receipt)
        self._attempts(number).unlink(missing_ok=True)
        self._rows(number).unlink(missing_ok=True)

    def _attempts(self, number: int) -> Path:
        return self.folder / "_shards" / f".{self._name(number)}{_TEMPORARY}"

    def _rows(self, number: int) -> Path:
        return self.folder / "_shards" / f".{self._name(number)}-rows{_TEMPORARY}"

    def _name(self, number: int) -> str:
        return f"{number:0{max(5, len(str(self.shards - 1)))}d}"


def write_json(path: Path, facts: Facts) -> None:
    """Write facts as JSON, whole."""
    data = json.dumps(facts, indent=1).encode() + b"\n"
    replace_file(path, lambda part: part.write_bytes(data))


def write_lines(path: Path, lines: Iterator[str]) -> None:
    """Write lines of JSON, whole; a lone surrogate, which UTF-8 cannot hold, as the escape that JSON has for it."""
    replace_file(path, lambda part: part.write_bytes(b"".join(_encode(line) for line in lines)))


def clear_temporary(folder: Path) -> None:
    """Remove what a killed run had half written."""
    for where in (folder, folder / "_shards"):
        remove_unfinished(where)
        for path in where.glob(f".*{_TEMPORARY}"):
            path.unlink(missing_ok=True)


def check_folder(output: Output) -> None:
    """Refuse a folder that holds what is not ours, before anything is put there.

    Raises:
        OutputError: There are files, and no manifest.
    """
    if not output.folder.is_dir() or output.manifest.exists():
        return
    strange = sorted(path.name for path in output.folder.iterdir() if path.name[0] not in "._")
    if strange:
        raise OutputError(
            f"{output.folder} holds {strange[0]} and is no output of this command: name a new or empty folder."
        )


def check_parts(output: Output) -> None:
    """Refuse a begun folder that holds a table beside its parts: who reads the folder would take rows twice.

    Raises:
        OutputError: There is one, such as a second copy of a part.
    """
    ours = {output.part(number).name for number in range(output.shards)}
    names = sorted(path.name for path in output.folder.iterdir() if path.name[0] not in "._")
    for name in names:
        if name not in ours and (name.startswith("part-") or name.endswith(f".{output.ending}")):
            raise OutputError(
                f"{output.folder / name} is no part of this output: whoever reads the folder would take its rows "
                "too. Move it elsewhere, then run the same command again."
            )


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep a second run out of an output folder, which is made if it is not there; a kill lets go of it.

    Raises:
        OutputError: Another run is writing there, or the folder cannot be made.
    """
    try:
        (folder / "_shards").mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "_lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}. Name a folder you may write to.") from None
    try:
        _lock(lock, folder)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    if sys.platform == "win32":  # it has no flock
        return
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OutputError(f"another run is writing to {folder}: wait for it, or name another folder.") from None


def _encode(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace") + b"\n"

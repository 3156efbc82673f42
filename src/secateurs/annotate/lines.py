"""Append-only files of whole lines that survive a kill at any moment.

A line is written and synced before anybody counts its record as done. What a kill leaves of a last line is cut off
when the file is opened again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from secateurs.errors import Error
from secateurs.support.files import replace_file, sync_folder

Row = Mapping[str, Any]


class OutputError(Error):
    """An output file cannot be used or written; what it held before is safe."""


class Lines:
    """A file of JSON lines that is only ever appended to; one process at a time.

    Args:
        path: The file; made if it is not there. A torn last line is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror}. Name a file in a folder you may write to."
            ) from None
        try:
            _lock(self._file, path)
            self._size = _mend(path, self._file)
            sync_folder(path.parent)
        except BaseException:
            os.close(self._file)
            raise

    def append(self, row: Row) -> None:
        """Write one line, all of it or nothing.

        Raises:
            OutputError: It cannot be written, for example because the disk is full.
        """
        data = memoryview(_encode(row))
        size = len(data)
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}. What it holds is whole and safe: make room, then run"
                " the same command again."
            ) from None
        self._size += size

    def close(self) -> None:
        """Close the file and let other processes have it."""
        os.close(self._file)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of ours.

    Raises:
        OutputError: A line is not one of ours.
    """
    if not path.exists():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                if not {"id", "query", "context"} <= row.keys():
                    raise ValueError("no id, query or context")
            except (ValueError, AttributeError) as error:
                raise OutputError(
                    f"{path}:{number} was not written by annotate ({error}). Name another output file, or mend the"
                    " line."
                ) from None
            yield row


def keep(path: Path, stays: Callable[[Row], bool]) -> None:
    """Drop the lines that do not stay; a kill leaves the file as it was or as it shall be."""

    def write(part: Path) -> None:
        with part.open("wb") as file:
            file.writelines(_encode(row) for row in rows(path) if stays(row))

    if not all(stays(row) for row in rows(path)):
        replace_file(path, write)


def _encode(row: Row) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: only an escape can write it
        return json.dumps(row).encode() + b"\n"


def _mend(path: Path, file: int) -> int:
    """Cut a torn last line off, and return the size in bytes. A whole line that lacks only its end gets one."""
    size = os.fstat(file).st_size
    end = size
    tail = b""
    with path.open("rb") as lines:
        while end and b"\n" not in tail:
            step = min(end, 1 << 16)
            end -= step
            lines.seek(end)
            tail = lines.read(step) + tail
    last = tail[tail.rfind(b"\n") + 1 :]
    if not last:
        return size
    try:
        whole = isinstance(json.loads(last), dict)
    except ValueError:
        whole = False
    if whole:
        os.write(file, b"\n")
        size += 1
    elif last[:2] != b'{"'[: len(last)] and last.strip(b"\0"):  # a kill leaves the head of a line, or zeros
        raise OutputError(f"{path} ends in a line that annotate did not write: name another output file.")
    else:
        size -= len(last)
        os.ftruncate(file, size)
    os.fsync(file)
    return size


def _lock(file: int, path: Path) -> None:
    """Keep a second process out: both would write every record. A kill unlocks."""
    if sys.platform == "win32":  # it has no flock
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OutputError(f"{path} is being written by another process: wait for it, or name another file.") from None

"""Files that are there whole or not at all: what is told of a full disk, and what a kill leaves."""

from __future__ import annotations

import errno
import glob
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from secateurs.errors import Error, describe
from secateurs.support.paths import exists, is_file

_DEVICES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))  # even where they lead to a file: `>>` appends


class WriteError(Error):
    """A file cannot be written; what stood there before is as it was."""


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that nobody, not even after a power cut, ever sees half of it.

    What is no plain file (a pipe, a device) is written into.

    Args:
        path: The file; where it is a link, what it points to is replaced.
        write: Writes what it shall hold to the path it is given, whose name ends as the file's does. A kill leaves
            that one behind: `remove_unfinished`.

    Raises:
        WriteError: It cannot be written. An `Error` that `write` raises passes as it is.
    """
    direct = path.parent in _DEVICES or (exists(path) and not is_file(path))
    target = path if direct else path.resolve()
    part = path if direct else target.with_name(f".{uuid4().hex}.{target.name}")
    try:
        write(part)
        if not direct:
            _keep_mode(target, part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
            sync_folder(target.parent)
    except BaseException as error:
        if not direct:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        if isinstance(error, Error) or not isinstance(error, Exception):
            raise
        raise explained(path, error) from None


def remove_unfinished(folder: Path, name: str | None = None) -> None:
    """Remove what `replace_file` leaves half written where it is killed.

    Args:
        folder: Where; nobody else may be writing there.
        name: Of the file that was to be written; None for any.
    """
    for path in folder.glob(f".{'[0-9a-f]' * 32}.{'*' if name is None else glob.escape(name)}"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder last, where system and file system can.

    Raises:
        OSError: The disk cannot.
    """
    if sys.platform == "win32":  # it opens no folders
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it may be written to, not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def mend_lines(path: Path) -> None:
    """Cut off what a kill left of a file's last line, so that the next one does not begin in its middle.

    Args:
        path: A file of lines that is appended to; it need not be there.

    Raises:
        WriteError: It cannot be written.
    """
    try:
        with path.open("rb+") as file:
            data = file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                file.truncate(whole)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained(path, error) from None


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole; a lone surrogate, which UTF-8 cannot hold, as a question mark."""
    data = text.encode("utf-8", "replace")
    replace_file(path, lambda part: part.write_bytes(data))


def _keep_mode(old: Path, new: Path) -> None:
    with suppress(OSError):
        new.chmod(old.stat().st_mode & 0o777)


def explained(path: Path, error: Exception) -> WriteError:
    """Return why a path cannot be written, and what to do."""
    # torch and safetensors report a full disk as errors of their own
    why = (error.strerror or str(error)) if isinstance(error, OSError) else describe(error)
    return WriteError(
        f"cannot write {path}: {why}. What is finished is safe: make room, or name a path you may write to, then "
        "run the same command again."
    )

"""Files of a checkpoint, read as the work of a stranger: ordinary files of its own folder, of a bounded size.

A folder that was cloned or unpacked may hold links to other files of this machine, pipes that never end, devices, and
files that are larger than the memory.
"""

from __future__ import annotations

import json
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from secateurs.checkpoints.hub import bundled_folder
from secateurs.errors import CheckpointError

_JSON_BYTES = 16 * 2**20


def find(folder: Path, name: str) -> Path | None:
    """Return the path of a file of a checkpoint; None if there is no file of this name.

    A link may lead to a file of the same folder, and from a snapshot of the hub's cache to a blob of the same cache.
    The bundled checkpoint's files are the package's, and may be links as the installer likes.

    Args:
        folder: The checkpoint.
        name: Name of a file, without a folder.

    Raises:
        CheckpointError: It is a folder, a pipe or a device, a link out of the checkpoint, or cannot be looked at.
    """
    path = folder / name
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name that no file can have
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}. Download the checkpoint again.") from None
    if not stat.S_ISREG(kind):
        raise CheckpointError(
            f"{path} is a folder, a pipe or a device, expected a file. Download the checkpoint again."
        )
    if (
        folder != bundled_folder()
        and not path.resolve().is_relative_to(folder.resolve())
        and not _in_cache(folder, name)
    ):
        raise CheckpointError(
            f"{path} is a link out of the checkpoint's folder, to {path.resolve()}. If you made it yourself, copy "
            "the file instead; otherwise do not use this checkpoint."
        )
    return path


def _in_cache(folder: Path, name: str) -> bool:
    """Tell whether a link leads from a snapshot of the hub's cache to its blobs, which may be links again."""
    home = folder.resolve()
    if not (home / name).is_symlink():
        return False
    blobs = (home / (home / name).readlink()).parent.resolve()
    return any(place.name == "snapshots" and _is_real(place.parent, blobs) for place in home.parents)


def _is_real(repository: Path, blobs: Path) -> bool:
    """Tell whether a folder is the `blobs` of a repository in the hub's cache: itself, and no link to another."""
    own = repository / "blobs"
    return repository.name.startswith("models--") and blobs == own and not own.is_symlink() and own.is_dir()


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a checkpoint is written anew into the same folder.

    Returns:
        Name, bytes and time of change of each file that scores depend on, as far as it can be looked at.
    """
    found = []
    for path in sorted((*folder.glob("*.json"), *folder.glob("*.safetensors"))):
        with suppress(OSError):
            about = path.stat()
            found.append((path.name, about.st_size, about.st_mtime_ns))
    return tuple(found)


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file that must not be larger than `most` bytes.

    Raises:
        CheckpointError: It is larger, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}. Download the checkpoint again.") from None
    if len(data) > most:
        raise CheckpointError(f"{path} has more than {most:,} bytes, which no such file has. Do not use it.")
    return data


def read_json(path: Path) -> Any:
    """Read a small JSON file as plain data.

    Raises:
        CheckpointError: It is no JSON, nested without end, or too large.
    """
    try:
        return json.loads(read_bytes(path, _JSON_BYTES).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"cannot read {path}: {error}. Download the checkpoint again.") from None

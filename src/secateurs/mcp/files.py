"""Files an agent may read: text under the folders the operator named, and nothing else."""

from __future__ import annotations

import ntpath
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from secateurs.mcp.limits import RefusedError, check_size, shown
from secateurs.support.encodings import NotTextError, decode
from secateurs.support.paths import exists, is_folder

_DEVICES = frozenset(
    (
        "CON",
        "PRN",
        "AUX",
        "NUL",
        "CONIN$",
        "CONOUT$",
        *(f"{kind}{n}" for kind in ("COM", "LPT") for n in "123456789¹²³"),
    )
)
_FOLLOW_NOTHING = getattr(os, "O_NOFOLLOW", 0)
# A pipe would otherwise wait for its writer, and Windows would translate line ends
_FILE = os.O_RDONLY | _FOLLOW_NOTHING | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | _FOLLOW_NOTHING | getattr(os, "O_DIRECTORY", 0)


class Folders:
    """Reads text files under some folders.

    A path that reads as if it led outside is refused before anything is looked up: whoever looks for a path may have
    called a machine already, or mounted a disk. Of the others counts where links lead. Whether a file outside exists
    cannot be told.

    Args:
        roots: The folders.
        max_bytes: Bytes a file may have.

    Raises:
        ValueError: One of them is no folder.
    """

    def __init__(self, roots: Sequence[Path], max_bytes: int) -> None:
        for root in roots:
            if not is_folder(root):
                raise ValueError(f"--root {root} is no folder: name a folder that exists.")
        self._named = tuple(os.path.abspath(root) for root in roots)  # noqa: PTH100 - resolve() would follow links
        self.roots = tuple(root.resolve() for root in roots)
        self._max_bytes = max_bytes

    def read(self, path: str) -> str:
        """Return the text of a file.

        Args:
            path: Absolute, or relative to one of the folders; the first that has it wins.

        Returns:
            Its text, line ends as they are, without the mark of its encoding.

        Raises:
            RefusedError: It is outside the folders, missing, no text file, or too large.
        """
        root, inside = self._find(path)
        try:
            raw = self._bytes(root, inside, path)
        except OSError as error:
            raise RefusedError(f"{shown(path)} cannot be read: {error.strerror}. Pass another path.") from None
        try:
            return decode(raw)
        except NotTextError as error:
            raise RefusedError(
                f"{shown(path)} is {error}. {error.advice(shown(path))}; then pass that path."
            ) from None

    def _find(self, path: str) -> tuple[Path, Path]:
        """Return the folder and the place in it that a path leads to."""
        allowed = [
            (root, place)
            for root, place in zip(self.roots, self._places(path), strict=True)
            if place is not None and place.is_relative_to(root)
        ]
        if not allowed:
            raise RefusedError(
                f"{shown(path)} is outside the folders this server may read: {self}. Pass a path in one of "
                "them, or read it by other means and pass its text to compress_text."
            )
        for root, place in allowed:
            if exists(place):
                return root, place.relative_to(root)
        raise RefusedError(f"there is no file {shown(path)} under {self}. Check the path.")

    def _places(self, path: str) -> Iterator[Path | None]:
        """Yield where a path leads from each folder; None where it reads as if it led out of that one."""
        for named, root in zip(self._named, self.roots, strict=True):
            inside = below(named, path)
            if inside is None:
                inside = below(str(root), path)
            yield None if inside is None else _resolved(root / inside)

    def _bytes(self, root: Path, inside: Path, path: str) -> bytes:
        descriptor = _open(root, inside)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file"
                raise RefusedError(f"{shown(path)} is {kind}. Pass the path of a text file.")
            check_size(found.st_size, self._max_bytes, shown(path))
            with os.fdopen(os.dup(descriptor), "rb") as file:
                raw = file.read(self._max_bytes + 1)  # it may have grown since
        finally:
            os.close(descriptor)
        check_size(len(raw), self._max_bytes, shown(path))
        return raw

    def __str__(self) -> str:
        return ", ".join(map(str, self.roots))


def below(root: str, path: str, rules: ModuleType = os.path) -> str | None:
    r"""Return a path as it reads from a folder, without looking anything up; None if it reads as outside.

    Args:
        root: The folder, absolute.
        path: Any text.
        rules: Those of a system, `posixpath` or `ntpath`.

    Example:
        >>> import ntpath, posixpath
        >>> below("/docs", "a/../b.txt", posixpath), below("/docs", "/net/host/b.txt", posixpath)
        ('b.txt', None)
        >>> below("C:\docs", "\\host\share", ntpath), below("C:\docs", "D:b.txt", ntpath)
        (None, None)
    """
    if "\0" in path or (rules is ntpath and (_special(path) or path.startswith(("\\\\", "//")))):
        return None
    try:
        place = rules.normpath(rules.join(root, path))
        found: str = rules.relpath(place, root)
    except ValueError:  # on another drive
        return None
    outside = found == rules.pardir or found.startswith(rules.pardir + rules.sep) or rules.isabs(found)
    return None if outside else found


def _special(path: str) -> bool:
    """Return whether a part of a path is a device to Windows, or names a stream beside a file."""
    _, rest = ntpath.splitdrive(path)
    parts = rest.replace("/", "\\").split("\\")
    return any(":" in part or part.rstrip(" .").split(".")[0].rstrip().upper() in _DEVICES for part in parts)


def _resolved(place: Path) -> Path | None:
    try:
        return place.resolve()
    except (OSError, RuntimeError, ValueError):  # too long, links in a circle, a NUL or a lone surrogate
        return None


def _open(root: Path, inside: Path) -> int:
    """Open a resolved path for reading, and follow no link: one may have been put there since it was resolved."""
    if os.open not in os.supports_dir_fd:
        return os.open(root / inside, _FILE)
    at = os.open(root, _FOLDER)
    try:
        for folder in inside.parts[:-1]:
            below = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        return os.open(inside.name or ".", _FILE, dir_fd=at)
    finally:
        os.close(at)

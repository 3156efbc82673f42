"""Questions about paths that anybody may have named: one that no file can have is none, and no error."""

from __future__ import annotations

from pathlib import Path


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False for one that cannot be looked at.

    Example:
        >>> is_folder(Path("x" * 300))
        False
    """
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long for one, or in a folder that cannot be read
        return False


def is_file(path: Path) -> bool:
    """Return whether a path is a file; False for one that cannot be looked at."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def exists(path: Path) -> bool:
    """Return whether there is anything at a path; False for one that cannot be looked at."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False

"""Extras that are not installed: told with the line that installs them; a broken install shows its own traceback."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NoReturn

from secateurs.errors import MissingExtraError


def raise_missing(error: ModuleNotFoundError, *packages: str, feature: str, extra: str) -> NoReturn:
    """Raise what a failed import means.

    Args:
        error: The import's error.
        packages: Packages that the extra brings; one inside a namespace with its dots.
        feature: What the caller wanted to use, as a noun.
        extra: The extra that brings it.

    Raises:
        MissingExtraError: One of the packages is absent, and that is why.
        ModuleNotFoundError: The error itself, of anything else.
    """
    top = (error.name or "").split(".")[0]
    if any(top == package.split(".")[0] and not _is_there(package) for package in packages):
        raise MissingExtraError(feature, extra) from error
    raise error


def _is_there(package: str) -> bool:
    parent, *rest = package.split(".")
    try:
        return find_spec(parent) is not None and (not rest or find_spec(package) is not None)
    except ModuleNotFoundError:
        return False

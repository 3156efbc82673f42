"""What the commands' options mean, and what is wrong with them before an hour of measuring."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from secateurs.errors import MissingExtraError
from secateurs.support.paths import exists, is_folder


def check_folder(output: Path) -> None:
    """Refuse a place for results that is no folder, or that no picture could be drawn into."""
    if exists(output) and not is_folder(output):
        raise ValueError(f"--output {output} is a file: name a folder")
    need("matplotlib", "the picture", "evaluate")


def need(module: str, feature: str, extra: str) -> None:
    """Refuse to go on without a package, and say which extra brings it."""
    if find_spec(module) is None:
        raise MissingExtraError(feature, extra)


def short_name(model: str) -> str:
    """Name a folder by its last part, so that reports do not depend on the machine."""
    return Path(model).resolve().name if is_folder(Path(model)) else model

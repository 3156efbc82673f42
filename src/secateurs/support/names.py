"""What a checkpoint is called: known from its folder alone, before anything is loaded."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

BUNDLED = "secateurs-xsmall"

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_LONGEST = 200  # characters; the hub allows 96 a part

_MODELS = Path(str(files("secateurs"))) / "models"


def checkpoint_name(folder: Path) -> str:
    """Return the name of a checkpoint from its folder; never a path of this machine.

    Example:
        >>> checkpoint_name(Path("hub/models--owner--pruner/snapshots/0123abcd"))
        'owner/pruner'
        >>> checkpoint_name(Path("/home/ann/my-pruner"))
        'my-pruner'
    """
    if folder.parent == _MODELS:
        return f"secateurs-{folder.name}"
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return folder.name or folder.resolve().name


def commit_of(folder: Path) -> str | None:
    """Return the commit that a folder of the hub's cache holds; None for any other folder.

    Example:
        >>> commit_of(Path("hub/models--owner--pruner/snapshots") / ("0" * 40)) == "0" * 40
        True
    """
    cached = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    return folder.name if cached and re.fullmatch(r"[0-9a-f]{40}", folder.name) else None


def model_of(name: str, folder: Path | None) -> str | None:
    """Return what `Compressor.from_pretrained` takes as `model` for the checkpoint of a compressor.

    Args:
        name: The compressor's name.
        folder: The checkpoint's folder; None where it is on another machine.

    Returns:
        The folder where the name alone does not lead to it; None for the bundled checkpoint. What another machine
        calls its own is no folder of this one: it is marked, so that nothing of that name is ever loaded here.

    Example:
        >>> model_of("my-pruner", Path("/home/ann/my-pruner")) == str(Path("/home/ann/my-pruner"))
        True
        >>> model_of("owner/pruner", None), model_of("my-pruner", None)
        ('owner/pruner', 'remote:my-pruner')
    """
    if name == BUNDLED and (folder is None or folder.parent == _MODELS):
        return None
    if folder is None:
        return name if is_hub_id(name) else f"remote:{name}"
    return name if "/" in name else str(folder)


def is_hub_id(name: str) -> bool:
    """Return whether a name is one of the hub, `owner/name`: no folder of a machine is called so but by chance."""
    return len(name) <= _LONGEST and _HUB_ID.fullmatch(name) is not None

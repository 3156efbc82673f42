"""What a resumed run needs, in one file: written whole or not at all, and read only if it is what was written."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from secateurs.errors import describe, shorten
from secateurs.support.files import remove_unfinished, replace_file
from secateurs.train.config import ConfigError, TrainConfig

STATE = "state.pt"


def save_state(folder: Path, config: TrainConfig, state: Mapping[str, Any]) -> None:
    """Write a state.

    Args:
        folder: Of the run.
        config: Its settings; only a run with the same ones can go on from it.
        state: Tensors, numbers, strings, and dictionaries and lists of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everything = {"settings": _settings(config), **state}
    replace_file(folder / STATE, lambda part: torch.save(everything, part))


def resume_from(
    folder: Path, config: TrainConfig, take: Callable[[Mapping[str, Any]], None], device: torch.device
) -> None:
    """Take up what was saved, if anything was.

    Args:
        folder: Of the run.
        config: Its settings.
        take: Is given the state.
        device: Where its tensors are to be.

    Raises:
        ConfigError: It is damaged, does not fit the model, or belongs to a run with other settings.
    """
    remove_unfinished(folder, STATE)
    path = folder / STATE
    if not path.is_file():
        return
    try:
        _check_sums(path)
        state = torch.load(path, map_location=device, weights_only=True)
        if state["settings"] != _settings(config):
            raise ConfigError(
                f"{path} belongs to a run with other settings. Name another output folder, or pass --restart to "
                "throw that run away."
            )
        take(state)
    except (ConfigError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # torch has no error of its own for a file that is damaged
        raise ConfigError(
            f"{path} is damaged or cannot be read: {shorten(describe(error), 300)}. Put a copy of it "
            "back, or pass --restart to begin the run anew."
        ) from None


def _check_sums(path: Path) -> None:
    """Raise if a byte of a state is not what was written; torch itself does not look at the sums it writes."""
    with zipfile.ZipFile(path) as records:
        bad = records.testzip()
    if bad is not None:
        raise ValueError(f"the checksum of its record {bad} is wrong")


def _settings(config: TrainConfig) -> str:
    """Return what two runs must share for one to go on where the other stopped."""
    shared = asdict(config)
    for name in ("output", "card", "data"):
        del shared[name]
    for name in ("steps", "minutes", "threads", "save_seconds", "log_steps"):
        del shared["run"][name]
    return json.dumps(shared, sort_keys=True)

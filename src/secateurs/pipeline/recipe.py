"""How a compressor was loaded, for pickles, which name a checkpoint and carry no weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from secateurs.checkpoints import Checkpoint


@dataclass(frozen=True)
class Recipe:
    """How a compressor was loaded, so that a pickle of it can say that instead of carrying weights.

    The fields are the arguments of `Compressor.from_pretrained`. A folder is named from the root: where the pickle is
    read, another folder may be the current one, and a name such as `models/pruner` would be asked of the hub.
    """

    model: str | Path | None
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    family: str | None = None
    mapped: bool = True

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Return what loads the same checkpoint in the same precision on the same device."""
        model = checkpoint.model
        dtype = str(model.dtype).removeprefix("torch.")
        return cls(str(checkpoint.path.absolute()), None, str(model.device), dtype, checkpoint.family.name)

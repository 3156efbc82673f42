"""Where a checkpoint is: the bundled one, a folder, or the Hugging Face hub and its cache."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

from secateurs.errors import CheckpointError
from secateurs.support.paths import is_folder

BUNDLED = "secateurs-xsmall"
# Data only: code and pickles that lie beside them are not even downloaded.
_FILES = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "*.safetensors",
    "*.safetensors.index.json",
]


_MOST_BYTES = 16 * 2**30  # six times the largest that is published
_MOST_FILES = 100


def locate(model: str | Path | None = None, revision: str | None = None) -> Path:
    """Return the folder of a checkpoint.

    Args:
        model: None or `"secateurs-xsmall"` for the bundled one (never touches the network), a folder, or a hub id.
        revision: Branch, tag or commit on the hub.

    Returns:
        A folder on this machine.

    Raises:
        CheckpointError: There is no such folder and no such model on the hub, the hub cannot be reached, or a
            revision is asked for of what has none.
    """
    if model is None or model == BUNDLED:
        _check_has_none(revision, "the bundled checkpoint")
        return bundled_folder()
    if not isinstance(model, (str, Path)):
        raise TypeError(f"model must be a folder, a hub id or None, got {model!r}")
    if str(model) and is_folder(Path(model)):  # an empty string would be the working directory
        _check_has_none(revision, f"the folder {str(model)!r}")
        return Path(model)
    if isinstance(model, Path) or not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model):
        raise CheckpointError(
            f"no checkpoint at {str(model)!r}: it is neither a folder on this machine nor a hub id like 'owner/name'."
        )
    return _download(model, revision)


def bundled_folder() -> Path:
    """Return the folder of the checkpoint that comes with the package."""
    return Path(str(files("secateurs"))) / "models" / "xsmall"


def _check_size(model: str, revision: str | None) -> None:
    """Refuse what is larger than any checkpoint before it fills the disk.

    Raises:
        CheckpointError: It is.
    """
    from huggingface_hub import HfApi

    try:
        files = HfApi().model_info(model, revision=revision, files_metadata=True).siblings or []
    except Exception:  # offline, or not there: the download says it better
        return
    sizes = [file.size or 0 for file in files if any(fnmatch(file.rfilename, pattern) for pattern in _FILES)]
    if sum(sizes) > _MOST_BYTES or len(sizes) > _MOST_FILES:
        raise CheckpointError(
            f"checkpoint {model!r} is {len(sizes)} files of {sum(sizes):,} bytes together, expected at most "
            f"{_MOST_FILES} of {_MOST_BYTES:,}. If you trust it, download it with `hf download` and pass its folder."
        )


def _check_has_none(revision: str | None, what: str) -> None:
    if revision is not None:  # what was pinned must not be taken from elsewhere in silence
        raise CheckpointError(
            f"{what} has no revisions, got revision {revision!r}: leave it out, or name a model on the hub."
        )


def _download(model: str, revision: str | None) -> Path:
    from huggingface_hub import errors, snapshot_download

    _check_size(model, revision)
    name = model if revision is None else f"{model} at revision {revision}"
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FILES))
    except errors.GatedRepoError as error:  # before RepositoryNotFoundError, of which it is one
        advice = "its owner grants access: ask for it on its page, log in with `hf auth login` or set HF_TOKEN"
        raise CheckpointError(f"checkpoint {name!r} is gated: {advice}.") from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(
            f"checkpoint {model!r} has no revision {revision!r}: use a branch, tag or commit."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"there is no model {name!r} on the hub, or it is private: check the name, or log in with "
            "`hf auth login`."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"checkpoint {name!r} is not in the local cache, and the hub cannot be reached (no network, or offline "
            "mode is set). Download it elsewhere and pass its folder, or leave `model` out to use the bundled one."
        ) from error
    except Exception as error:  # whatever else a network does
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise CheckpointError(
            f"cannot get checkpoint {name!r} from the hub: {reason[0]} Try again, download it elsewhere and pass its "
            "folder, or leave `model` out to use the bundled one."
        ) from error

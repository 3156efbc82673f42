"""What an output was begun with, and what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import secateurs
from secateurs.bulk.files import File
from secateurs.bulk.job import Job
from secateurs.bulk.output import Output, OutputError, write_json
from secateurs.bulk.survey import Survey

Manifest = Mapping[str, Any]

_DATA = ("*.json", "*.safetensors")  # all that a checkpoint is loaded from


def make_manifest(job: Job, checkpoint: Path, files: Sequence[File], surveys: Sequence[Survey]) -> Manifest:
    """Return what the output will depend on.

    Args:
        job: The settings, with format and device settled.
        checkpoint: The checkpoint's folder.
        files: The input.
        surveys: What was found in it.
    """
    return {
        "secateurs": secateurs.__version__,
        "settings": job.to_dict(),
        "checkpoint": _digest_folder(checkpoint),
        "input": {
            file.name: {"bytes": found.bytes, "sha256": found.sha256}
            for file, found in zip(files, surveys, strict=True)
        },
    }


def run_name(manifest: Manifest) -> str:
    """Return the digest by which the receipts of a run are known."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32]


def begin(output: Output, manifest: Manifest) -> None:
    """Begin an output, or go on with one that was begun with the same.

    Raises:
        OutputError: The output was begun with other settings or other input.
    """
    try:
        before = json.loads(output.manifest.read_bytes())
    except FileNotFoundError:
        write_json(output.manifest, manifest)
        return
    except ValueError as error:
        raise OutputError(f"{output.manifest} is damaged ({error}): name another output folder.") from None
    changes = list(_changes(before, manifest))
    if changes:
        raise OutputError(
            f"{output.folder} was begun with something else: {'; '.join(changes[:5])}. An output is resumed with the "
            "same settings and input only; give them again, or name another output folder."
        )


def _changes(before: Any, now: Manifest) -> Iterator[str]:
    if not isinstance(before, dict) or not {"secateurs", "settings", "checkpoint", "input"} <= before.keys():
        yield "its manifest is of another layout"
        return
    if before["secateurs"] != now["secateurs"]:
        yield f"secateurs was {before['secateurs']}, now {now['secateurs']}"
    for name in sorted(before["settings"].keys() | now["settings"].keys()):
        old, new = before["settings"].get(name), now["settings"].get(name)
        if old != new:
            yield f"{name} was {old!r}, now {new!r}"
    if before["checkpoint"] != now["checkpoint"]:
        yield "the model was another"
    for name in sorted(before["input"].keys() | now["input"].keys()):
        if name not in now["input"]:
            yield f"the input has lost {name}"
        elif name not in before["input"]:
            yield f"the input has got {name}"
        elif before["input"][name] != now["input"][name]:
            yield f"{name} has changed"


def _digest_folder(folder: Path) -> Mapping[str, str]:
    digests = {}
    for path in sorted(path for pattern in _DATA for path in folder.glob(pattern)):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests

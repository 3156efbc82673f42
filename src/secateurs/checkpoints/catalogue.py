"""What can be loaded: the families, what is published in them, what is in the local cache, what one checkpoint is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from secateurs.checkpoints import FAMILIES, detect, load
from secateurs.checkpoints.family import Family, Published
from secateurs.checkpoints.files import open_tensors, read_config
from secateurs.checkpoints.hub import BUNDLED, locate
from secateurs.errors import CheckpointError, Error, printable, shorten
from secateurs.support.names import commit_of


@dataclass(frozen=True)
class Listed:
    """A published checkpoint and where it stands.

    Attributes:
        family: Its family.
        published: What is known of it.
        licence: Licence of its weights.
        where: `"bundled"`, `"cached"` or `"hub"`.
    """

    family: Family
    published: Published
    licence: str
    where: str


@dataclass(frozen=True)
class Explanation:
    """What a checkpoint is, and whether it loads.

    Attributes:
        facts: Name and value, for people, as far as the files could be read.
        problem: Why it does not load; None if it does.
    """

    facts: Mapping[str, str]
    problem: str | None


def published() -> list[Listed]:
    """Return every checkpoint this package knows by name, the bundled one first."""
    cached = set(cached_models())
    others = (
        Listed(family, item, family.licence, "cached" if item.id in cached else "hub")
        for family in FAMILIES.values()
        for item in family.published
    )
    return [_bundled(), *others]


def cached_models() -> list[str]:
    """Return the hub ids in the local cache whose config is of a family this package runs."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return []
    kinds = {family.model_type for family in FAMILIES.values() if family.detected}
    return sorted(repo.repo_id for repo in repositories if _kinds(Path(repo.repo_path)) & kinds)


def explain(model: str | Path, family: str | None = None, revision: str | None = None) -> Explanation:
    """Say what a checkpoint is and why it would or would not load.

    Args:
        model: A folder, a hub id or the name of the bundled model; what is not on this machine is downloaded.
        family: Its layout, where `config.json` cannot tell.
        revision: Branch, tag or commit on the hub.

    Returns:
        What its files say; reading them never runs code.
    """
    facts = _known(str(model))
    try:
        path = locate(model, revision)
        facts["folder"] = str(path)
        commit = commit_of(path)
        if commit is not None:
            facts["commit"] = commit
        _tell_files(facts, path, family)
        checkpoint = load(path, family=family, device=torch.device("cpu"), dtype=torch.float32)
    except (Error, ValueError) as error:
        return Explanation(facts, str(error))
    shape, layout = checkpoint.model.config, checkpoint.layout
    facts["encoder"] = f"{shape.layers} layers, width {shape.hidden_size}, {shape.heads} heads"
    facts["vocabulary"] = f"{shape.vocab_size:,} tokens"
    facts["window"] = f"{layout.max_length:,} tokens"
    facts["ranking head"] = "yes" if checkpoint.model.ranking is not None else "no"
    facts["default policy"] = repr(checkpoint.default_policy)
    return Explanation(facts, None)


def _known(model: str) -> dict[str, str]:
    """Return what is known of a published checkpoint by its name, wherever it is; nothing of others."""
    for item in published():
        if item.published.id == model:
            known = item.published
            return {
                "family": item.family.name,
                "licence": f"{item.licence} (of the family's published weights)",
                "parameters": known.parameters,
                "languages": known.languages,
                "window": f"{known.window:,} tokens",
                "default threshold": f"{known.threshold:g}",
                "where": item.where,
                **({"reported": known.reported.replace("MODEL", known.id)} if known.reported else {}),
            }
    return {}


def _tell_files(facts: dict[str, str], path: Path, family: str | None) -> None:
    """Add what the files say, one fact after another: what was read before a file fails is told, too."""
    config = read_config(path)
    facts["model_type"] = shorten(printable(str(config.get("model_type"))), 80)
    found = detect(config, family, path)
    facts["family"] = found.name
    facts["licence"] = "MIT" if path == locate() else f"{found.licence} (of the family's published weights)"
    with open_tensors(path) as tensors:
        sizes = [prod(shape) for shape in tensors.shapes.values()]
    facts["parameters"] = f"{sum(sizes):,} in {len(sizes)} tensors"
    code = sorted(file.name for file in path.glob("*.py"))
    if code or "auto_map" in config:
        facts["code beside it"] = f"{', '.join(map(printable, code)) or 'named in config.json'}: ignored"


def _bundled() -> Listed:
    family = FAMILIES["openprovence"]
    config = read_config(locate())
    threshold = float(config["default_threadshold"])
    item = Published(BUNDLED, "32M", "English, Chinese", int(config["max_length"]), threshold)
    return Listed(family, item, "MIT", "bundled")


def _kinds(repository: Path) -> set[str]:
    kinds = set()
    for snapshot in repository.glob("snapshots/*"):
        try:
            kinds.add(str(read_config(snapshot).get("model_type")))
        except CheckpointError:
            continue  # not a checkpoint of ours, whatever it is
    return kinds

"""Absurd numbers in a config are refused before they cost memory."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hostile_parts import KINDS, build, change_json, refused, small_checkpoint
from slices import spread
from watchdog import run_python

from secateurs.errors import CheckpointError
from secateurs.train.config import StartConfig
from secateurs.train.start import load_start

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 3, 10**9, 2**31, 2**63, 2**64, 10**12, 10**400, -(10**400), 0.5, 1e308, float("nan"), float("inf")),
    *(-float("inf"), True, False, "8", "", None, [], [8], {}, {"a": 8}),
)
SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
TRIED = """
import json, resource, sys
from pathlib import Path
import torch
from secateurs.checkpoints import load
from secateurs.errors import CheckpointError

folder, cases = Path(sys.argv[1]), json.loads(sys.stdin.read())
torch.set_num_threads(1)
config = json.loads((folder / "config.json").read_text())
family = "opensearch" if config["model_type"] == "bert" else None
load(folder, family=family, device=torch.device("cpu"), dtype=torch.float32)
used = int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + 2**28, used + 2**28))  # 256 MB more, and no byte beyond
loaded = []
for path, key, value in cases:
    changed = json.loads(json.dumps(config))
    part = changed
    for name in path:
        part = part[name]
    part[key] = value
    (folder / "config.json").write_text(json.dumps(changed))
    try:
        load(folder, family=family, device=torch.device("cpu"), dtype=torch.float32)
        loaded.append([key, value])
    except CheckpointError as error:
        assert str(error).isprintable() and len(str(error)) <= 1000, error
print(json.dumps(loaded))
"""


def numbers_of(config: dict[str, Any]) -> list[tuple[list[str], str]]:
    """Return every place of a config that holds a number, also in its inner objects."""
    places = []
    for key, value in config.items():
        if isinstance(value, dict):
            places += [([key, *path], name) for path, name in numbers_of(value)]
        elif isinstance(value, (int, float)):
            places.append(([], key))
    return places


def plausible(size: object) -> bool:
    """Tell whether a tiny model may have a size: a whole number, and none of the absurd ones that are tried."""
    return type(size) is int and 1 <= size < 1000


def tried(kind: str, tmp_path: Path, every: int) -> list[list[Any]]:
    """Load a kind of checkpoint with each number replaced by each value, or every n-th; return what loaded."""
    build(kind, tmp_path / kind)
    config = json.loads((tmp_path / kind / "config.json").read_text(encoding="utf-8"))
    cases = [(path, key, value) for path, key in numbers_of(config) for value in NUMBERS]
    Random(kind).shuffle(cases)
    cases = [case for case in cases if case[1] in SIZES and case[2] in (10**9, 10**12, -1)] + cases[::every]
    ended = run_python(["-c", TRIED, str(tmp_path / kind)], stdin=json.dumps(cases), seconds=900)
    assert ended.status == 0, ended.stderr[-2000:]
    loaded: list[list[Any]] = json.loads(ended.stdout)
    return loaded


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="what a process may use is limited as Linux does it"
)
@pytest.mark.parametrize("kind", spread(KINDS, 2))
def test_absurd_numbers_are_refused_before_memory_is_taken(kind: str, tmp_path: Path) -> None:
    """A config with any number replaced loads or is a CheckpointError, within 256 MB; no absurd size ever loads."""
    loaded = tried(kind, tmp_path, every=30)
    assert [item for item in loaded if item[0] in SIZES and not plausible(item[1])] == []


@pytest.mark.slow
@pytest.mark.watchdog(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_every_number_with_every_value(kind: str, tmp_path: Path) -> None:
    """The same for all values in all places."""
    loaded = tried(kind, tmp_path, every=1)
    assert [item for item in loaded if item[0] in SIZES and not plausible(item[1])] == []


@pytest.mark.parametrize("key", ["max_length", "max_position_embeddings"])
def test_a_window_without_end_is_refused(key: str, tmp_path: Path) -> None:
    """Where no table bounds it, a window larger than any model's is refused: attention grows with its square."""
    build("openprovence-modernbert", tmp_path / "checkpoint")
    change_json(
        tmp_path / "checkpoint" / "config.json",
        lambda c: (c.update(max_length=10**6), c["base_model_config"].update(max_position_embeddings=10**6), None)[2],
    )
    refused(tmp_path / "checkpoint", "a window of 1000000 tokens is longer than any model's")


@pytest.mark.parametrize(
    "key", ["num_hidden_layers", "max_length", "base_model_config", "hidden_size", "intermediate_size"]
)
@pytest.mark.parametrize(
    "value", [10**12, 10**400, -1, "8", [8], {"a": 8}, float("inf")], ids=lambda value: str(value)[:9]
)
def test_training_refuses_what_compressing_refuses(key: str, value: object, tmp_path: Path) -> None:
    """A checkpoint whose config lies cannot be trained from either: the same error, before anything is built."""
    folder = small_checkpoint(tmp_path / "checkpoint")
    change_json(folder / "config.json", lambda c: (c if key in c else c["base_model_config"]).update({key: value}))
    with pytest.raises(CheckpointError) as caught:
        load_start(StartConfig(model=str(folder)))
    assert str(folder) in str(caught.value)

"""Eight records, a tiny checkpoint, and a config that trains on them in a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_checkpoint

from secateurs.train.checks import read_config
from secateurs.train.config import TrainConfig


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors are not worth a second thread, which only waits when the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


FACTS = [
    ("Who built the mill?", "It rained. The mill was built by Ann Lee. Nobody knows why."),
    ("What causes tides?", "The mill burned down. The pull of the Moon causes tides. It rained."),
    ("When was the mill built?", "The Moon is far. The mill was built in 1842. It burned down twice."),
    ("Who left the mill?", "Nobody left. Ann Lee left the mill in 1842. The tides are high."),
    ("Why did it burn?", "The mill was old. It burned because of the Moon. Nobody knows Ann."),
    ("水车建于何年？", "月球的引力造成潮汐。水车建于1842年。没有人知道原因。"),
    ("什么造成潮汐？", "水车烧毁过两次。月球的引力造成潮汐。没有人知道。"),
    ("Who is the king?", "It rained on the mill. Nobody was there. The Moon is far."),
]


def eight_records() -> list[dict[str, Any]]:
    """Return records whose middle sentence answers; the last has no answer."""
    records = []
    for number, (query, context) in enumerate(FACTS):
        stop = "。" if "。" in context else "."
        start = context.index(stop) + len(stop)
        end = context.index(stop, start) + 1
        evidence = [] if number == len(FACTS) - 1 else [[start + 2, end - 1]]
        lang = "zh" if stop == "。" else "en"
        records.append({"id": str(number), "lang": lang, "query": query, "context": context, "evidence": evidence})
    return records


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `train.jsonl`, `other.jsonl` and `dev.jsonl`."""
    folder = tmp_path_factory.mktemp("data")
    lines = [json.dumps(record, ensure_ascii=False) for record in eight_records()]
    for name in ("train.jsonl", "dev.jsonl"):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "other.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    return folder


CONFIG = """
data = {data}
output = {output}
sources = [{{ path = "train.jsonl" }}]
[start]
model = {model}
{start}
[run]
steps = 20
batch_tokens = 256
pool = 8
device = "cpu"
precision = "float32"
log_steps = 5
{run}
[mix]
negative = 0.0
joined = 0.0
without_evidence = 0.0
keywords = 0.0
shortest = 40
longest = 48
[optimizer]
learning_rate = 3e-3
head_learning_rate = 1e-2
average = {average}
[dev]
{dev}
"""


@pytest.fixture
def make_config(tmp_path: Path, data_folder: Path, tiny_folder: Path) -> Callable[..., TrainConfig]:
    """Return a function that makes a config of the tiny run, with changes."""

    def make(output: str = "run", model: Path = tiny_folder, average: float = 0.9, **extra: str) -> TrainConfig:
        quoted = {
            "data": json.dumps(str(data_folder)),
            "output": json.dumps(str(tmp_path / output)),
            "model": json.dumps(str(model)),
        }
        parts = {name: extra.get(name, "") for name in ("start", "run", "dev")}
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(**quoted, **parts, average=average), encoding="utf-8")
        return read_config(path)

    return make


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint's encoder alone, as a plain BERT folder without any head."""
    from safetensors.torch import load_file, save_file

    folder = tiny_checkpoint(tmp_path_factory.mktemp("encoder"), max_length=64)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["base_model_config"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    kept = {name.removeprefix("ranking_model.bert."): tensor for name, tensor in tensors.items() if ".bert." in name}
    save_file({name: tensor for name, tensor in kept.items() if "pooler" not in name}, folder / "model.safetensors")
    return folder

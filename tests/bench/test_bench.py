"""The benchmark: the same documents everywhere, the same scores whichever way they are run, figures that add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import typer
from build import KINDS, build
from typer.testing import CliRunner

from secateurs import checkpoints
from secateurs.bench import machine
from secateurs.bench.clock import timed
from secateurs.bench.command import bench
from secateurs.bench.corpus import histogram, make_corpus
from secateurs.bench.pipeline import pooling_seconds, prepare
from secateurs.bench.variants import ALONE, OURS, variants

app = typer.Typer()
app.command()(bench)

COUNT = {"type": "integer", "minimum": 0}
RATE = {"type": "number", "exclusiveMinimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
BYTES = {"type": ["integer", "null"]}


def closed(**properties: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


VARIANT = closed(
    name={"type": "string"},
    tokens_per_second=RATE,
    documents_per_second=RATE,
    seconds=RATE,
    cpu_seconds={"type": "number", "minimum": 0},
    times_ours=RATE,
    padding_share=SHARE,
    flops_utilisation=RATE,
    max_score_difference=SHARE,
)
CALLERS = closed(callers=COUNT, documents_per_second=RATE, p50_seconds=RATE, p95_seconds=RATE, p99_seconds=RATE)
SCHEMA = closed(
    secateurs={"type": "string"},
    model={"type": "string"},
    machine={"type": "object", "required": ["device", "device_name", "dtype", "cores", "torch_threads", "torch"]},
    corpus=closed(
        documents=COUNT,
        windows=COUNT,
        tokens=COUNT,
        characters=COUNT,
        seed=COUNT,
        histogram={"type": "object", "additionalProperties": COUNT},
    ),
    repeats=COUNT,
    matrix_rate=RATE,
    variants={"type": "array", "items": VARIANT, "minItems": 4, "maxItems": 4},
    callers={"type": "array", "items": CALLERS, "minItems": 2, "maxItems": 2},
    phases=closed(split=RATE, tokenize=RATE, forward=RATE, pool=RATE, count=RATE),
    pooling=closed(tokens=COUNT, sentences=COUNT, seconds=RATE),
    memory=closed(ours=BYTES, all=BYTES, device=BYTES),
)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def load(folder: Path, family: str | None = None) -> checkpoints.Checkpoint:
    return checkpoints.load(folder, family=family, device=torch.device("cpu"), dtype=torch.float32)


def letters(texts: Any) -> list[int]:
    """A tokenizer that takes five characters at a time."""
    return [-(-len(text) // 5) for text in texts]


def test_the_corpus_is_the_same_every_time():
    """64 documents from a seed, each as long as it was drawn."""
    first, second = (make_corpus(letters, overhead=10, longest=512) for _ in range(2))
    assert first == second
    lengths = [letters([document])[0] + 10 for document in first.documents]
    assert len(lengths) == 64 and max(lengths) <= 512 and 130 < sum(lengths) / 64 < 210
    assert any("水" in document for document in first.documents)
    assert len(make_corpus(letters, overhead=10, longest=512, tokens=500).documents) < 10
    assert sum(histogram(lengths).values()) == 64


def test_the_command_measures_every_variant(tiny_folder: Path, tmp_path: Path):
    """The JSON has its shape, names no folder of this machine, and its figures agree with each other."""
    file = tmp_path / "bench.json"
    options = ("--device", "cpu", "--tokens", 1000, "--repeats", 2, "--format", "json", "--output", file)
    result = run("--model", tiny_folder, *options)
    assert result.exit_code == 0, result.output
    report = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(report, SCHEMA)
    assert str(tiny_folder.parent) not in file.read_text(encoding="utf-8")
    assert sum(report["corpus"]["histogram"].values()) == report["corpus"]["windows"]
    ours, alone, ordered, arrival = report["variants"]
    assert ours["name"] == OURS and alone["name"] == ALONE and ours["times_ours"] == 1.0
    assert ours["padding_share"] == alone["padding_share"] == 0.0
    assert 0.0 < ordered["padding_share"] <= arrival["padding_share"] < 1.0
    assert all(item["max_score_difference"] < 1e-5 for item in report["variants"])
    for item in report["variants"]:
        assert item["tokens_per_second"] == pytest.approx(report["corpus"]["tokens"] / item["seconds"])
    assert [item["callers"] for item in report["callers"]] == [1, 8]


def test_the_table_is_for_people(tiny_folder: Path):
    """Every speed stands beside its difference in scores."""
    result = run("--model", tiny_folder, "--device", "cpu", "--tokens", 300, "--repeats", 1)
    assert result.exit_code == 0, result.output
    for words in (OURS, "arrival order", "max Δ score", "padding", "tokenize", "peak memory", "GFLOP/s"):
        assert words in result.output


@pytest.mark.parametrize("kind", KINDS)
def test_variants_agree_on_every_backbone(kind: str, tmp_path: Path):
    """Padded or packed, alone or together: the same token scores."""
    build(kind, tmp_path)
    checkpoint = load(tmp_path, "opensearch" if kind == "opensearch" else None)
    corpus = make_corpus(
        lambda texts: checkpoint.encode_sentences(texts).lengths.tolist(), overhead=30, longest=64, tokens=400
    )
    windows = prepare(checkpoint, corpus).windows
    expected, *others = (torch.cat([*map(torch.from_numpy, way.run(windows))]) for way in variants(checkpoint.model))
    for found in others:
        assert torch.allclose(found, expected, atol=1e-4)


def test_operations_follow_the_formula(tiny_folder: Path):
    """Two a weight and token, four a layer, width and pair of tokens; a window alone pays for itself only."""
    model = load(tiny_folder).model
    weights = 2 * (4 * 16 * 16 + 2 * 16 * 32)
    assert machine.forward_operations(model, [10]) == 10 * (2 * weights + 4 * 2 * 16 * 10)
    assert machine.forward_operations(model, [10, 10]) == 2 * machine.forward_operations(model, [10])


def test_pooling_of_many_tokens_takes_no_time():
    """100,000 tokens become sentence scores in under 50 ms; the best of three, as other jobs may run beside."""
    assert min(pooling_seconds() for _ in range(3)) < 0.05


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_cuda_is_waited_for():
    """The time of a run ends when the device is done, not when the host is."""
    left = torch.ones(4096, 4096, device="cuda")
    few, many = (timed(lambda n=n: [left @ left for _ in range(n)], left.device).seconds for n in (2, 40))
    assert many > 5 * few


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--repeats", 0), "--repeats must be at least 1"),
        (("--tokens", 0), "--tokens must be at least 1"),
        (("--output", "/nowhere/at/all.json"), "there is no folder"),
    ],
)
def test_wrong_options_are_found_before_the_model_loads(arguments: tuple[object, ...], message: str):
    """What is wrong with the options is said at once."""
    result = run("--model", "/nowhere/at/all", *arguments)
    assert isinstance(result.exception, ValueError) and message in str(result.exception)

"""The command: every part is measured, the JSON has its shape, and figures agree with each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from slices import part, whole
from test_tower import build_tower
from typer.testing import CliRunner

from secateurs.bench.callers import COMPRESS, LANGCHAIN, LLAMA_INDEX
from secateurs.bench.command import bench
from secateurs.bench.growth import MULTIPLES
from secateurs.bench.measure import WORKLOADS
from secateurs.bench.variants import ALONE, OURS

app = typer.Typer()
app.command()(bench)

COUNT = {"type": "integer", "minimum": 0}
RATE = {"type": "number", "exclusiveMinimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
BYTES = {"type": ["integer", "null"], "minimum": 0}
TEXT = {"type": "string"}
LENGTHS = {"type": "object", "additionalProperties": COUNT}


def closed(**properties: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(item: dict[str, Any], least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": least}


LATENCIES = {"p50_seconds": RATE, "p95_seconds": RATE, "p99_seconds": RATE}
COMMON = {
    "name": TEXT,
    "documents_per_second": RATE,
    "seconds": RATE,
    "cpu_seconds": {"type": "number", "minimum": 0},
    "times_ours": RATE,
    "cpu_times_ours": {"type": ["number", "null"], "exclusiveMinimum": 0},
    "forward_passes": COUNT,
    "padding_share": SHARE,
    "peak_memory": BYTES,
    "peak_device_memory": BYTES,
}
WORKLOAD = closed(
    name=TEXT,
    corpus=closed(
        made=TEXT,
        seed={"type": ["integer", "null"]},
        documents=COUNT,
        windows=COUNT,
        tokens=COUNT,
        characters=COUNT,
        documents_by_length=LENGTHS,
        windows_by_length=LENGTHS,
    ),
    variants=many(
        closed(**COMMON, tokens_per_second=RATE, flops_utilisation=RATE, max_score_difference=SHARE), least=4
    ),
    calls=many(closed(**COMMON, tokens_read=COUNT, outside_forward=SHARE)),
    steps=closed(split=RATE, tokenize=RATE, forward=RATE, pool=RATE, count=RATE),
)
SERVING = closed(
    documents=COUNT,
    serial=closed(documents_per_second=RATE, **LATENCIES, forward_passes=COUNT, peak_memory=BYTES),
    clients=many(
        closed(
            clients=COUNT,
            documents_per_second=RATE,
            times_serial=RATE,
            **LATENCIES,
            forward_passes=COUNT,
            late_5ms=SHARE,
            late_50ms=SHARE,
            peak_memory=BYTES,
        ),
        least=3,
    ),
)
GROWTH = closed(
    of=TEXT,
    points=many(closed(multiple=COUNT, size=COUNT, seconds=RATE, cpu_seconds={"type": "number"}, peak_memory=BYTES)),
    left_out={"type": "array", "items": COUNT},
    exponent={"type": ["number", "null"]},
    fitted_from={"type": ["integer", "null"]},
)
SCHEMA = closed(
    secateurs=TEXT,
    model=TEXT,
    machine={"type": "object", "required": ["device", "device_name", "dtype", "cores", "torch_threads", "torch"]},
    repeats=COUNT,
    scale=RATE,
    matrix_rate=RATE,
    workloads=many(WORKLOAD),
    peer_encoder=TEXT,
    serving=SERVING,
    growth=many(GROWTH, least=0),
    pooling=closed(tokens=COUNT, sentences=COUNT, seconds=RATE),
    memory=closed(resident=BYTES, device=BYTES),
    left_out={"type": "array", "items": TEXT},
)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.sliced
def test_the_command_measures_everything(roomy_folder: Path, tmp_path: Path):
    """The JSON has its shape, names no folder of this machine, and its figures agree with each other."""
    file, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    names = ["mixed", "long"] if whole() else ["mixed"]
    options = ("--device", "cpu", "--workloads", ",".join(names), "--scale", 0.02, "--repeats", part(2, 2))
    outputs = ("--growth-seconds", 0.5 if whole() else 0.2, "--format", "json", "--output", file, "--plot", picture)
    result = run("--model", roomy_folder, *options, *outputs)
    assert result.exit_code == 0, result.output
    report = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(report, SCHEMA)
    assert str(roomy_folder.parent) not in file.read_text(encoding="utf-8")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [item["name"] for item in report["workloads"]] == names
    for workload in report["workloads"]:
        check_workload(workload)
    check_serving(report["serving"])
    for curve in report["growth"]:
        measured = [point["multiple"] for point in curve["points"]]
        assert [*measured, *curve["left_out"]] == list(MULTIPLES)
        assert (curve["exponent"] is None) == (len(measured) < 3)


def check_workload(workload: Any) -> None:
    corpus = workload["corpus"]
    assert sum(corpus["documents_by_length"].values()) == corpus["documents"]
    assert sum(corpus["windows_by_length"].values()) == corpus["windows"]
    packed, alone, ordered, arrival = workload["variants"]
    assert packed["name"] == OURS and alone["name"] == ALONE and packed["times_ours"] == 1.0
    assert 0.0 <= packed["padding_share"] < 1 / 16  # a pass on a CPU gets the next of 16 numbers of rows
    assert 0.0 <= alone["padding_share"] < 0.1
    assert 0.0 <= ordered["padding_share"] <= arrival["padding_share"] < 1.0
    assert alone["forward_passes"] == corpus["windows"] and arrival["forward_passes"] == -(-corpus["windows"] // 32)
    for item in workload["variants"]:
        assert item["max_score_difference"] < 1e-5
        assert item["tokens_per_second"] == pytest.approx(corpus["tokens"] / item["seconds"])
    for items in (workload["variants"], workload["calls"]):
        for item in items:  # what stands in a table agrees with what stands beside it
            assert item["times_ours"] == pytest.approx(item["seconds"] / items[0]["seconds"])
            if item["cpu_times_ours"] is not None:
                assert item["cpu_times_ours"] == pytest.approx(item["cpu_seconds"] / items[0]["cpu_seconds"])
    ours = workload["calls"][0]
    assert ours["name"] == COMPRESS and ours["tokens_read"] == corpus["tokens"]
    assert 0.0 <= ours["padding_share"] < 1 / 16
    assert 0.0 < ours["outside_forward"] < 1.0


def check_serving(serving: Any) -> None:
    assert [item["clients"] for item in serving["clients"]] == [1, 8, 64]
    assert serving["documents"] == serving["serial"]["forward_passes"] == 64
    for item in serving["clients"]:
        speed = item["documents_per_second"] / serving["serial"]["documents_per_second"]
        assert item["times_serial"] == pytest.approx(speed)
    one, eight, all_at_once = (item["forward_passes"] for item in serving["clients"])
    assert one == 64 and all_at_once <= eight <= 64


def test_the_table_is_for_people(tiny_folder: Path):
    """Every speed stands beside its difference in scores, and what was left out is said."""
    options = ("--device", "cpu", "--workloads", "real", "--repeats", 1, "--no-peers", "--growth-seconds", 0)
    result = run("--model", tiny_folder, *options)
    assert result.exit_code == 0, result.output
    for words in (OURS, "arrival order", "max Δ score", "padding", "tokenize", "peak MiB", "GFLOP/s", "vs serial"):
        assert words in result.output
    assert "the bundled model's card" in " ".join(result.output.split())  # its cell may have two lines
    assert "not measured: neighbours: --no-peers" in result.output and "not measured: growth" in result.output
    assert LLAMA_INDEX not in result.output and LANGCHAIN not in result.output
    assert result.stderr.startswith("preparing the documents ...\n")  # and another line every twenty seconds


def test_a_model_with_a_tower_is_measured(tmp_path: Path):
    """Its encoder runs in two halves, and every figure is there all the same."""
    build_tower(tmp_path)
    options = ("--device", "cpu", "--workloads", "mixed", "--scale", 0.02, "--repeats", 1, "--growth-seconds", 0)
    result = run("--model", tmp_path, *options, "--no-peers", "--format", "json")
    assert result.exit_code == 0, result.output
    (workload,) = json.loads(result.stdout)["workloads"]
    check_workload(workload)


def test_the_options_help_names_all_workloads():
    """What `--workloads` takes by default is all there is."""
    (option,) = (param for param in typer.main.get_command(app).params if param.name == "workloads")
    assert option.default == ", ".join(WORKLOADS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--repeats", 0), "--repeats must be at least 1"),
        (("--scale", 0), "--scale must be greater than 0"),
        (("--scale", "nan"), "--scale must be greater than 0"),
        (("--growth-seconds", "nan"), "--growth-seconds must be at least 0"),
        (("--workloads", "mixed,none"), "expected names out of"),
        (("--workloads", "mixed", "--data", "x.jsonl"), "add `real`"),
        (("--output", "/nowhere/at/all.json"), "there is no folder"),
        (("--plot", "picture.txt"), "ends in .png, .svg, .pdf"),
        (("--data", "README.md"), "is not named like data"),
    ],
)
def test_wrong_options_are_found_before_the_model_loads(arguments: tuple[object, ...], message: str):
    """What is wrong with the options is said at once."""
    result = run("--model", "/nowhere/at/all", *arguments)
    assert isinstance(result.exception, ValueError) and message in str(result.exception)

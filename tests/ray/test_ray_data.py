"""`CompressBatch` on a real Ray: actors, Parquet and JSON lines, and a worker that is killed."""

from __future__ import annotations

import doctest
import json
import os
import signal
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from bulk.processes import children

# Ray warns of defaults of its own when its context is made
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")

MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why."
TIDES = "What causes tides? The pull of the Moon causes most of the motion."


def settings(folder: Path) -> dict[str, object]:
    return {"query_column": "q", "document_column": "d", "model": str(folder), "threshold": 0.95}


def rows(count: int) -> list[dict[str, object]]:
    return [{"id": n, "q": f"Who built mill {n % 7}?", "d": [MILL, TIDES][n % 2] * (n % 5)} for n in range(count)]


def kill_workers(count: int, out: Path, stop: threading.Event) -> None:
    """Kill workers, one after another, once there is output."""
    while count and not stop.wait(0.5):
        if any(out.glob("*.parquet")):
            os.kill(children("CompressBatch")[0], signal.SIGKILL)
            count -= 1
    assert not count, "the run was over before the workers were killed"


def test_actors_give_what_one_process_gives(local_ray, tiny_folder):
    """Two actors on a dataset of any source return the rows of a plain call, each once."""
    import ray

    from secateurs.ray import CompressBatch

    given = [*rows(40), {"id": 40, "q": None, "d": MILL}]
    dataset = ray.data.from_items(given, override_num_blocks=4).map_batches(
        CompressBatch,
        fn_constructor_kwargs=settings(tiny_folder),
        batch_size=8,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    found = sorted(dataset.take_all(), key=lambda row: row["id"])
    expected = CompressBatch(**settings(tiny_folder), device="cpu")(pa.Table.from_pylist(given)).to_pylist()
    assert [row["id"] for row in found] == list(range(41))
    assert found[40]["secateurs_status"] == "error"
    for row, other in zip(found, expected, strict=True):
        assert list(row["secateurs_scores"]) == pytest.approx(other["secateurs_scores"], abs=1e-5)
        for name in ("text", "status", "reason", "savings"):
            assert row[f"secateurs_{name}"] == other[f"secateurs_{name}"]


@pytest.mark.slow
def test_a_killed_actor_loses_nothing(local_ray, tiny_folder, tmp_path):
    """JSON lines to Parquet, workers killed on the way: every row is there once, with the scores it always has."""
    import ray

    from secateurs.ray import CompressBatch

    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows(6000)))
    dataset = ray.data.read_json(str(source), override_num_blocks=60).map_batches(
        CompressBatch,
        fn_constructor_kwargs=settings(tiny_folder),
        batch_size=20,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=0.5,  # leaves a core to the tasks that read and write
    )
    out, stop = tmp_path / "out", threading.Event()
    killer = threading.Thread(target=kill_workers, args=(2, out, stop))
    killer.start()
    try:
        dataset.write_parquet(str(out))
    finally:
        stop.set()
        killer.join()
    found = ray.data.read_parquet(str(out)).take_all()
    assert sorted(row["id"] for row in found) == list(range(6000))
    same = {}
    for row in found:
        scores = same.setdefault((row["q"], row["d"]), list(row["secateurs_scores"]))
        assert list(row["secateurs_scores"]) == pytest.approx(scores, abs=1e-5)


@pytest.mark.slow
def test_the_example_runs(local_ray):
    """What the docstring shows is what comes out."""
    import secateurs.ray.batch

    result = doctest.testmod(secateurs.ray.batch)
    assert result.attempted > 0
    assert result.failed == 0

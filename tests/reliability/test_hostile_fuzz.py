"""A short, repeatable slice of the fuzzing in `fuzz/`: the same targets and the same law, with seeds for chance."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random

import hostile_parts  # noqa: F401 - puts the folder of the targets on the path
import pytest
import torch
from targets import TARGETS, Target

RUNS = {"policy": 1000, "answer": 500, "train": 150, "http": 150, "config": 100, "tokenizer": 150, "weights": 150}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of refusals are not logged, and tiny models need no threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes_end_in_the_documented_error(name: str, request: pytest.FixtureRequest) -> None:
    """Whatever the bytes are, a target refuses them as it is documented, or gives a result that keeps its laws."""
    target: Target = TARGETS[name]()
    request.addfinalizer(target.close)
    random = Random(name)
    seeds = target.seeds()
    assert all(target(seed) for seed in seeds)  # what is fuzzed begins with what is accepted
    for _ in range(RUNS.get(name, 100)):
        data = random.choice(seeds)
        for _ in range(random.choice((1, 1, 2, 3))):
            data = target.mutate(data, random)
        target(data)

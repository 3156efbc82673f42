"""Steps over many batches, the learning rates of a run, and how it is told to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train.test_train_run import losses, trainer

from secateurs.train.config import OptimizerConfig, TrainConfig
from secateurs.train.losses import Learner
from secateurs.train.mixing import in_steps
from secateurs.train.optimizer import make_optimizer, schedule
from secateurs.train.start import load_start
from secateurs.train.state import STATE
from secateurs.train.stopping import on_sigterm

Make = Callable[..., TrainConfig]


def gathered(config: TrainConfig, examples: int = 8) -> TrainConfig:
    """Return the config with steps of so many examples, each in several batches."""
    run = replace(config.run, examples=examples, pool=16, batch_tokens=128, steps=6, log_steps=2)
    return replace(config, run=run)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(0, 60))
def test_steps_hold_every_batch_once_and_in_order(sizes: list[int], examples: int) -> None:
    """No step is empty, none is further from what was asked for than a batch and what cannot be shared out."""
    batches = [list(range(size)) for size in sizes]
    steps = in_steps(batches, examples)
    assert [batch for step in steps for batch in step] == batches
    assert all(steps)
    if examples:
        total = sum(sizes)
        even = total / max(1, round(total / examples))
        assert all(abs(sum(map(len, step)) - even) <= 2 * max(sizes) for step in steps)
    else:
        assert all(len(step) == 1 for step in steps)


def test_a_step_of_many_batches_is_one_step(make_config: Make) -> None:
    """Steps and examples are counted as such, and the model learns."""
    one = trainer(gathered(make_config()))
    one.run()
    assert one.progress.step == 6
    assert one.progress.examples == 6 * 8
    first, *_, last = losses(gathered(make_config()))
    assert last < first


def test_gradients_of_a_step_are_those_of_its_batches_by_their_examples(make_config: Make) -> None:
    """What a step moves by is the mean over its examples, however they are parted into batches."""
    config = replace(make_config(), optimizer=OptimizerConfig(learning_rate=1e-3, average=0.0, clip=1e9))
    config = replace(config, run=replace(config.run, steps=1, pool=8, batch_tokens=100_000))
    twice = replace(config, run=replace(config.run, examples=8, batch_tokens=128), output=config.output + "-2")
    one, two = trainer(config), trainer(twice)
    whole, parts = one._task.pool(0), two._task.pool(0)
    assert len(whole) == 1 and len(parts) > 1
    expected = {}
    for some in parts:
        loss = one._learner(one._task.collate(some))["loss"] * len(some) / 8
        loss.backward()
    expected = {name: parameter.grad for name, parameter in one._plain.named_parameters()}
    found = {}

    def keep(*_: object) -> None:
        found.update({name: None if p.grad is None else p.grad.clone() for name, p in two._plain.named_parameters()})

    two._optimizer.register_step_pre_hook(keep)
    two.run()
    for name, gradient in expected.items():
        if gradient is not None:
            assert torch.allclose(found[name], gradient, atol=1e-6), name


@pytest.mark.parametrize("examples", [0, 8])
def test_a_run_that_is_told_to_end_goes_on_bit_for_bit(make_config: Make, examples: int) -> None:
    """Wherever between batches it is told, the step in hand is thrown away and comes again."""
    whole = trainer(gathered(make_config("whole"), examples)).run().state_dict()
    calls = iter([False] * 5 + [True])
    config = gathered(make_config("told"), examples)
    first = trainer(config, stop=lambda: next(calls))
    first.run()
    assert first.stopped
    second = trainer(config)
    assert 0 < second.progress.step == first.progress.step < 6
    resumed = second.run().state_dict()
    assert not second.stopped
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_sigterm_asks_and_no_more() -> None:
    """Inside, the signal is only told of; outside, it is what it was before."""
    before = signal.getsignal(signal.SIGTERM)
    with on_sigterm() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
    assert signal.getsignal(signal.SIGTERM) == before


def test_elsewhere_than_in_the_main_thread_no_signal_is_taken() -> None:
    """A run in a thread trains all the same."""
    asked: list[bool] = []

    def body() -> None:
        with on_sigterm() as stop:
            asked.append(stop())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert asked == [False]


def test_the_command_ends_cleanly_on_sigterm(make_config: Make, tmp_path: Path) -> None:
    """Its state is written, it says how to go on, and its exit code is that of a process that was terminated."""
    config = make_config(run="save_seconds = 0.0")
    command = [sys.executable, "-m", "secateurs", "train", str(tmp_path / "config.toml"), "--steps", "1000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    state = Path(config.output) / STATE
    patience = time.monotonic() + 120
    while not state.is_file() and process.poll() is None and time.monotonic() < patience:
        time.sleep(0.05)
    process.terminate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert "the same command goes on from there" in " ".join(said.split())
    step = torch.load(state, weights_only=True)["progress"]["step"]
    assert f"stopped at step {step}" in said
    assert not (Path(config.output) / "checkpoint").exists()


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_every_schedule_rises_and_never_leaves_its_bounds(kind: str) -> None:
    """It rises to the peak during warm-up, then never rises again, and ends at the floor unless it stays up."""
    settings = OptimizerConfig(schedule=kind, warmup=0.2, floor=0.1)  # type: ignore[arg-type]  # one of the literals
    rates = [schedule(step / 100, settings) for step in range(101)]
    assert rates[:21] == sorted(rates[:21]) and rates[20] == pytest.approx(1.0)
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(1.0 if kind == "constant" else 0.1)


def test_lower_layers_may_learn_more_slowly(make_config: Make) -> None:
    """Each layer's rate is that of the one above it times the decay, embeddings below all, heads their own."""
    config = make_config(start="freeze_embeddings = false")
    learner = Learner(load_start(config.start).model, config.loss)
    settings = OptimizerConfig(learning_rate=1e-3, head_learning_rate=5e-3, layer_decay=0.5)
    names = {id(parameter): name for name, parameter in learner.named_parameters()}
    rates = {
        names[id(parameter)]: group["lr"]
        for group in make_optimizer(learner, settings).param_groups
        for parameter in group["params"]
    }
    assert rates["model.encoder.layers.1.query.weight"] == pytest.approx(1e-3)
    assert rates["model.encoder.layers.0.query.bias"] == pytest.approx(5e-4)
    assert rates["model.encoder.tokens.weight"] == rates["model.encoder.norm.bias"] == pytest.approx(2.5e-4)
    assert rates["model.pruning.weight"] == pytest.approx(5e-3)


def test_the_log_tells_steps_not_batches(make_config: Make) -> None:
    """One line for so many steps, whatever they were gathered from."""
    config = gathered(make_config())
    trainer(config).run()
    lines = (Path(config.output) / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]

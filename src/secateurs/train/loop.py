"""The run itself: steps, schedule, averaged weights, checkpoints, early stopping, resume to the step.

The stream of batches is decided by (seed, pool, place in the pool), the model has no dropout: state.pt, written whole
or not at all, is all that a resumed run needs to go on exactly as the one that was killed. It is written between
steps; a step that a signal cuts short is thrown away and comes again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from secateurs.model.pruner import Pruner
from secateurs.support.files import explained, mend_lines
from secateurs.train.config import ConfigError, TrainConfig
from secateurs.train.mixing import in_steps
from secateurs.train.optimizer import make_optimizer, schedule
from secateurs.train.placement import Placement
from secateurs.train.state import resume_from, save_state
from secateurs.train.task import Task

_LONGEST_BATCH = 60.0  # seconds; what a batch takes beyond that was a pause
LOG = "log.jsonl"


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        step: Optimizer steps done.
        seconds: Time they took, pauses left out.
        tokens: Encoder tokens seen, control tokens included.
        examples: Windows seen.
        pool: Number of the pool of examples.
        place: Steps of it that were taken.
        measured_step: Step of the last measurement.
        measured_seconds: Time of the last measurement.
        best: Best dev score.
        worse: Measurements since then.
    """

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    examples: int = 0
    pool: int = 0
    place: int = 0
    measured_step: int = 0
    measured_seconds: float = 0.0
    best: float = -1.0
    worse: int = 0


class Trainer:
    """Trains a model; made anew, it goes on where the run in its folder stopped.

    Args:
        config: All settings.
        task: What is learned.
        placement: The hardware.
        report: Told the progress after each step, for a progress bar.
        stop: Asked between batches whether to end early.

    Attributes:
        progress: Where the run is.
        stopped: It was told to end early; its state is written.
    """

    def __init__(
        self,
        config: TrainConfig,
        task: Task,
        *,
        placement: Placement,
        report: Callable[[Progress, float], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.progress = Progress()
        self.stopped = False
        self._config, self._task = config, task
        self._placement, self._report, self._stop = placement, report, stop
        self._folder = Path(config.output)
        self._plain = task.learner.to(placement.device)
        self._model = self._plain.model
        optimizer = make_optimizer(self._plain, config.optimizer)
        self._trained = [parameter for parameter in self._plain.parameters() if parameter.requires_grad]
        self._peaks = [group["lr"] for group in optimizer.param_groups]
        self._learner, self._optimizer = placement.prepare(self._plain, optimizer)
        self._average = [parameter.detach().clone() for parameter in self._trained]
        self._best: dict[str, Tensor] | None = None
        self._sums: dict[str, Tensor] = {}
        self._mark = (0, 0.0)
        self._last = time.monotonic()
        if placement.world > 1 and not config.run.steps:
            raise ConfigError(
                "run.minutes needs a single process: with several, set run.steps, so that all end alike."
            )
        if not placement.rank:
            mend_lines(self._folder / LOG)
        resume_from(self._folder, config, self._take, placement.device)

    def run(self) -> Pruner:
        """Train to the end, or until it is told to stop.

        Returns:
            The model with the weights that were best on dev, or, without dev data, the last ones.
        """
        saved = self._last = time.monotonic()
        for batches in self._stream():
            if not self._step(batches):
                self.stopped = True
                break
            self._log()
            if self._report is not None:
                self._report(self.progress, self.fraction)
            due = self._is_due()
            if due:
                self._measure()
            if due or time.monotonic() - saved > self._config.run.save_seconds:
                self.save()
                saved = self._last = time.monotonic()
            patience = self._config.dev.patience
            if due and patience and self.progress.worse >= patience:
                break
        if not self.stopped and self.progress.measured_step != self.progress.step:
            self._measure()
        self.save()
        if self._best is not None and not self.stopped:
            self._model.load_state_dict(self._best)
        return self._model

    @property
    def fraction(self) -> float:
        """Return how much of the run is done, 0 to 1."""
        run = self._config.run
        done = self.progress.step / run.steps if run.steps else self.progress.seconds / (60 * run.minutes)
        return min(1.0, done)

    def save(self) -> None:
        """Write all that a resumed run needs, whole or not at all."""
        if self._placement.rank:
            return
        state = {
            "learner": self._plain.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average,
            "best": self._best,
            "progress": asdict(self.progress),
        }
        save_state(self._folder, self._config, state)

    def _take(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._plain.load_state_dict(state["learner"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average, self._best = state["average"], state["best"]
        self.progress = Progress(**state["progress"])
        self._mark = (self.progress.tokens, self.progress.seconds)

    def _stream(self) -> Iterator[list[Sequence[Any]]]:
        """Yield the batches of one step after another until the run is done; each process takes its own."""
        rank, world = self._placement.rank, self._placement.world
        while True:
            pool = self._task.pool(self.progress.pool * world + rank)
            if not pool:
                raise ConfigError("no example fits a window: check the data, start.max_length and mix.shortest.")
            steps = in_steps(pool, self._config.run.examples)
            while self.progress.place < len(steps):
                if self.fraction >= 1:
                    return
                yield steps[self.progress.place]
            self.progress = replace(self.progress, pool=self.progress.pool + 1, place=0)

    def _step(self, batches: Sequence[Sequence[Any]]) -> bool:
        """Take one optimizer step over some batches; False if it was cut short and nothing has changed."""
        settings = self._config.optimizer
        factor = schedule(self.fraction, settings)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        examples = sum(map(len, batches))
        tokens, sums = 0, dict[str, Tensor]()
        for place, some in enumerate(batches):
            if self._stop():
                self._optimizer.zero_grad(set_to_none=True)
                return False
            batch = self._task.collate(list(some)).to(self._placement.device)
            tokens += len(batch.ids)
            share = len(some) / examples
            with self._placement.gathering(self._learner, last=place == len(batches) - 1):
                with self._placement.autocast():
                    parts = self._learner(batch)
                self._placement.backward(parts["loss"] * share)
            for name, value in parts.items():
                sums[name] = value.detach() * share + sums.get(name, 0.0)
            self._tick()
        self._update({**sums, "norm": self._placement.clip(self._trained, settings.clip)})
        done = self.progress
        self.progress = replace(
            done,
            step=done.step + 1,
            place=done.place + 1,
            tokens=done.tokens + tokens,
            examples=done.examples + examples,
        )
        return True

    def _update(self, parts: Mapping[str, Tensor]) -> None:
        """Move the weights along the gradients, and their average after them."""
        if torch.isfinite(parts["norm"]):  # a step that overflows is skipped, it must not end a long run
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        average, step = self._config.optimizer.average, self.progress.step + 1
        if average:
            weight = 1 - min(average, step / (step + 9))
            with torch.no_grad():
                torch._foreach_lerp_(self._average, [one.detach() for one in self._trained], weight)
        for name, value in parts.items():
            self._sums[name] = value.detach() + self._sums.get(name, 0.0)  # stays on the device until it is logged

    def _tick(self) -> None:
        """Count the time since the last batch, pauses left out."""
        now = time.monotonic()
        seconds = self.progress.seconds + min(now - self._last, _LONGEST_BATCH)
        self.progress = replace(self.progress, seconds=seconds)
        self._last = now

    def _log(self) -> None:
        every = self._config.run.log_steps
        if self.progress.step % every:
            return
        tokens, seconds = self._mark
        speed = (self.progress.tokens - tokens) / max(self.progress.seconds - seconds, 1e-9)
        self._mark = (self.progress.tokens, self.progress.seconds)
        means = {name: round(value.item() / every, 5) for name, value in self._sums.items()}
        self._sums = {}
        self._write({"tokens_per_second": round(speed), "loss": means})

    def _write(self, what: Mapping[str, Any]) -> None:
        if self._placement.rank:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        minutes = round(self.progress.seconds / 60, 2)
        line = {"step": self.progress.step, "minutes": minutes, "tokens": self.progress.tokens, **what}
        try:
            with (self._folder / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise explained(self._folder / LOG, error) from None

    def _is_due(self) -> bool:
        dev, progress = self._config.dev, self.progress
        if not dev.files:
            return False
        if dev.every_steps:
            return progress.step - progress.measured_step >= dev.every_steps
        return dev.every_minutes > 0 and progress.seconds - progress.measured_seconds >= 60 * dev.every_minutes

    def _measure(self) -> None:
        """Measure the averaged weights (the last ones if none are kept), and remember the best."""
        if self._config.optimizer.average:
            self._swap()
        result = self._task.measure(self._placement)
        better = result is not None and result.score > self.progress.best
        if better:
            self._best = {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}
        if self._config.optimizer.average:
            self._swap()
        if result is None:
            return
        self.progress = replace(
            self.progress,
            measured_step=self.progress.step,
            measured_seconds=self.progress.seconds,
            best=max(self.progress.best, result.score),
            worse=0 if better else self.progress.worse + 1,
        )
        self._write({"dev": result.line})

    def _swap(self) -> None:
        """Exchange the weights with their running average."""
        with torch.no_grad():
            for parameter, average in zip(self._trained, self._average, strict=True):
                kept = parameter.clone()
                parameter.copy_(average)
                average.copy_(kept)

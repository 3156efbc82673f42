"""A run from settings to the finished checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from secateurs.checkpoints.openprovence import DEFAULT_THRESHOLD
from secateurs.model.pruner import Pruner
from secateurs.support.encodings import NotTextError, decode
from secateurs.train.config import ConfigError, TrainConfig
from secateurs.train.contrast import Contrast
from secateurs.train.data import Preparer
from secateurs.train.dev import DevSet
from secateurs.train.distill import States, dev_sources
from secateurs.train.loop import Progress as Done
from secateurs.train.loop import Trainer
from secateurs.train.measures import DevResult
from secateurs.train.mixing import Mixer
from secateurs.train.placement import Placement, place
from secateurs.train.records import read_records
from secateurs.train.start import Start, load_start
from secateurs.train.stopping import StoppedError, on_sigterm
from secateurs.train.task import Labels, Task
from secateurs.train.teacher import load_teacher
from secateurs.train.write import Outcome, write_checkpoint

_CHECKPOINT = "checkpoint"


def run(config: TrainConfig, console: Console) -> tuple[Path, DevResult | None]:
    """Train, calibrate and write.

    Args:
        config: All settings, paths resolved.
        console: Where to say what is done.

    Returns:
        The checkpoint folder, and what dev says.

    Raises:
        StoppedError: SIGTERM came; the state is written.
    """
    root = Path(config.data)
    placement = place(config.run)
    start = load_start(config.start, _vocabulary(config, root))
    preparer = Preparer(start.tokenizer, start.pipeline)
    with console.status("reading the training data ..."):
        corpus = preparer.run(config.sources, root)
        whole: DevSet | None = None
        if config.distill.model:
            dev = preparer.run(dev_sources(config.dev), root) if config.dev.files else None
            task: Task = States(config, start, corpus, placement.device, dev=dev)
        elif config.contrast.temperature:
            quick, whole = _dev_sets(config, root, start)
            task = Contrast(config, start, corpus, placement.device, dev=quick)
        else:
            teacher = load_teacher(config.teacher, start, placement.device)
            quick, whole = _dev_sets(config, root, start)
            mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
            task = Labels(config, start, mixer, dev=quick, teacher=teacher)
    with _bar(console) as report, on_sigterm() as stop:
        trainer = Trainer(config, task, placement=placement, report=report, stop=stop)
        model = trainer.run()
    if trainer.stopped:
        raise StoppedError(f"stopped at step {trainer.progress.step}")
    threshold, measured = _calibrate(whole, model, placement, console)
    outcome = Outcome(trainer.progress, threshold, measured, corpus.facts)
    folder = Path(config.output) / _CHECKPOINT
    if placement.rank == 0:
        write_checkpoint(folder, start, model, config, outcome)
    return folder, measured


def _vocabulary(config: TrainConfig, root: Path) -> Iterator[str]:
    """Yield the texts whose pieces must stay: those named, and all that is trained and measured on."""
    if not config.start.vocabulary_texts:
        return
    for name in config.start.vocabulary_texts:
        try:
            yield from decode((root / name).read_bytes()).splitlines()
        except (OSError, NotTextError) as error:
            raise ConfigError(f"start.vocabulary_texts: cannot read {root / name}: {error}.") from None
    for name in (*(source.path for source in config.sources), *config.dev.files):
        for record in read_records(root / name):
            yield record.query
            yield record.context


def _dev_sets(config: TrainConfig, root: Path, start: Start) -> tuple[DevSet | None, DevSet | None]:
    """Return the small set that is measured on the way, and the dev sample.

    By the first the weights are chosen: it is of the calibration halves alone.
    """
    dev = config.dev
    if not dev.files:
        return None, None
    half = dev.halves == "calibration"
    return DevSet(dev, root, start, dev.quick, half=True), DevSet(dev, root, start, dev.records, half=half)


def _calibrate(
    dev: DevSet | None, model: Pruner, placement: Placement, console: Console
) -> tuple[float, DevResult | None]:
    if dev is None:
        return DEFAULT_THRESHOLD, None
    with console.status("measuring the dev sample ..."):
        scores = dev.score(model, placement)
    return dev.calibrate(scores, half=True), dev.measure(scores)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Done, float], None]]:
    """Show how far the run is, and how fast."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("training", total=1.0)

        def report(done: Done, fraction: float) -> None:
            speed = done.tokens / max(done.seconds, 1e-9)
            text = f"step {done.step:,}, {done.tokens:,} tokens, {speed:,.0f} tokens/s"
            bar.update(task, completed=fraction, description=text)

        yield report

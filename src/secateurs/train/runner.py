"""A run from settings to the finished checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from secateurs.checkpoints.openprovence import DEFAULT_THRESHOLD
from secateurs.model.pruner import Pruner
from secateurs.train.config import ConfigError, TrainConfig
from secateurs.train.data import Preparer
from secateurs.train.dev import DevResult, DevSet
from secateurs.train.loop import Progress as Done
from secateurs.train.loop import Trainer
from secateurs.train.mixing import Mixer
from secateurs.train.placement import Placement, place
from secateurs.train.records import read_records
from secateurs.train.start import Start, load_start
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
    """
    root = Path(config.data)
    placement = place(config.run)
    start = load_start(config.start, _vocabulary(config, root))
    teacher = load_teacher(config.teacher, start, placement.device)
    preparer = Preparer(start.tokenizer, start.pipeline)
    with console.status("reading the training data ..."):
        corpus = preparer.run(config.sources, root)
        quick, whole = _dev_sets(config, root, start)
        mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    with _bar(console) as report:
        trainer = Trainer(config, start, mixer, placement=placement, dev=quick, teacher=teacher, report=report)
        model = trainer.run()
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
            yield from (root / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"start.vocabulary_texts: cannot read {root / name}: {error}.") from None
    for name in (*(source.path for source in config.sources), *config.dev.files):
        for record in read_records(root / name):
            yield record.query
            yield record.context


def _dev_sets(config: TrainConfig, root: Path, start: Start) -> tuple[DevSet | None, DevSet | None]:
    """Return the small set that is measured on the way, and the dev sample."""
    dev = config.dev
    if not dev.files:
        return None, None
    return DevSet(dev, root, start, dev.quick), DevSet(dev, root, start, dev.records)


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

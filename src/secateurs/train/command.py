"""`secateurs train CONFIG.toml`: what the command line registers; loads nothing heavy before it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from secateurs.support.paths import exists, is_file, is_folder
from secateurs.train.checks import check, read_config
from secateurs.train.config import ConfigError, TrainConfig

_TERMINATED = 143  # what a shell says of a process that SIGTERM ended


def train(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG.toml",
            help="The settings of the run; or a recipe that comes along: everyday, distill, xsmall, ...",
        ),
    ],
    data: Annotated[Path | None, typer.Option(help="Folder of the data. [default: the config's]")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the run. [default: the config's]")] = None,
    *,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps, instead of the config's length.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes, instead of the config's length.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Throw an unfinished run away.")] = False,
) -> None:
    """Train a pruner; a run that was stopped goes on where it was.

    The finished checkpoint is the folder `checkpoint` of the run.
    """
    from secateurs.train.runner import run
    from secateurs.train.state import STATE
    from secateurs.train.stopping import StoppedError

    config, beside = _find(config)
    settings = _placed(read_config(config), beside)
    settings = replace(settings, data=str(data or settings.data), output=str(output or settings.output))
    settings = _with_length(settings, steps, minutes)
    check(settings, str(config))
    folder = Path(settings.output)
    if restart:
        _forget(folder)
    console = Console(stderr=True)
    if (folder / STATE).is_file():
        console.print(f"going on with the run in {folder}")
    try:
        checkpoint, dev = run(settings, console)
    except StoppedError as stopped:
        console.print(f"{stopped}; the same command goes on from there")
        raise typer.Exit(_TERMINATED) from None
    if dev is not None:
        console.print(f"dev: F1 {dev.f1:.3f} at {dev.threshold:.3f}, top-1 {dev.top1:.3f}, saved {dev.saved:.0%}")
    console.print(f"checkpoint: {checkpoint}")


def _find(config: Path) -> tuple[Path, Path]:
    """Return the config's file, and the folder to which its paths are relative.

    A config is a path, and what it names lies beside it; a recipe that ships with the package is a name, and what it
    names lies in the working directory.
    """
    recipe = Path(__file__).parent / "recipes" / f"{config}.toml"
    if not exists(config) and is_file(recipe):
        return recipe, Path()
    return config, config.parent


def _placed(config: TrainConfig, beside: Path) -> TrainConfig:
    """Return a config whose paths do not depend on the folder they are relative to."""

    def model(name: str) -> str:
        return str(beside / name) if name and is_folder(beside / name) else name  # else a name on the hub

    start = config.start
    return replace(
        config,
        data=str(beside / config.data),
        output=str(beside / config.output),
        start=replace(start, model=model(start.model), upper=model(start.upper), similarity=model(start.similarity)),
        teacher=replace(config.teacher, model=model(config.teacher.model)),
        distill=replace(config.distill, model=model(config.distill.model)),
        contrast=replace(config.contrast, model=model(config.contrast.model)),
    )


def _forget(folder: Path) -> None:
    """Throw an unfinished run away; of the folder itself only what the run wrote there goes."""
    from secateurs.train.loop import LOG
    from secateurs.train.state import STATE

    for name in (STATE, LOG):
        (folder / name).unlink(missing_ok=True)


def _with_length(config: TrainConfig, steps: int | None, minutes: float | None) -> TrainConfig:
    if steps is not None and minutes is not None:
        raise ConfigError("--steps and --minutes were both given: pass one of them.")
    if steps is None and minutes is None:
        return config
    return replace(config, run=replace(config.run, steps=steps or 0, minutes=minutes or 0.0))

"""A config read from its file; values that make no sense, alone or together, are told before anything is loaded."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

from secateurs.support.encodings import NotTextError, decode
from secateurs.train.config import TrainConfig
from secateurs.train.tables import ConfigError, build


def read_config(path: Path) -> TrainConfig:
    """Read and check a config.

    Args:
        path: A TOML file.

    Returns:
        The settings, complete.

    Raises:
        ConfigError: The file cannot be read, a key is unknown or missing, a value has the wrong type or is out of
            range.
    """
    try:
        raw = tomllib.loads(decode(path.read_bytes()).replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror}. Pass a TOML file.") from None
    except (NotTextError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None
    config = build(TrainConfig, raw, str(path), "")
    check(config, str(path))
    return config


class _Needs:
    """Raises where a value is not what was expected.

    Args:
        where: The file.
    """

    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, ok: bool, key: str, value: object, expected: str) -> None:
        if not ok:
            raise ConfigError(f"{self._where}: {key} is {value!r}, expected {expected}.")

    def shares(self, table: object, at: str, names: str) -> None:
        """Raise unless each of some settings is a share."""
        for name in names.split():
            value = getattr(table, name)
            self(0 <= value <= 1, f"{at}.{name}", value, "a share in [0, 1]")


def check(config: TrainConfig, where: str) -> None:
    """Find values that make no sense, alone or together.

    Raises:
        ConfigError: There is one.
    """
    need = _Needs(where)
    _check_sources(config, need)
    _check_mix(config, need)
    _check_run(config, need)
    _check_start(config, need)
    _check_losses(config, need)
    _check_contrast(config, need)
    _check_dev(config, need)


def _check_sources(config: TrainConfig, need: _Needs) -> None:
    need(bool(config.sources), "sources", config.sources, "at least one [[sources]] table")
    for index, source in enumerate(config.sources):
        at = f"sources[{index}]"
        need(source.share > 0, f"{at}.share", source.share, "more than 0")
        need(source.weight >= 0, f"{at}.weight", source.weight, "at least 0")
        need(source.every >= 1, f"{at}.every", source.every, "at least 1")
        need(0 < source.fraction <= 1, f"{at}.fraction", source.fraction, "a share in (0, 1]")
        counts = source.labelled or bool(config.teacher.model and config.loss.teacher > 0) or config.distill.model
        need(bool(counts), f"{at}.labelled", source.labelled, "true, or a teacher and its loss")


def _check_mix(config: TrainConfig, need: _Needs) -> None:
    mix = config.mix
    need.shares(mix, "mix", "negative joined repeated without_evidence same_title hard keywords whole same_weight")
    need(mix.ratio >= 0, "mix.ratio", mix.ratio, "at least 0")
    negative = 0.0 if mix.ratio else mix.negative
    total = negative + mix.joined + mix.without_evidence
    need(total <= 1, "mix.negative + mix.joined + mix.without_evidence", total, "at most 1")
    need(mix.same_title + mix.hard <= 1, "mix.same_title + mix.hard", mix.same_title + mix.hard, "at most 1")
    need(8 <= mix.shortest <= mix.longest, "mix.shortest", mix.shortest, "8 to mix.longest")


def _check_run(config: TrainConfig, need: _Needs) -> None:
    run, optimizer = config.run, config.optimizer
    both = (run.steps, run.minutes)
    need((run.steps > 0) != (run.minutes > 0), "run.steps, run.minutes", both, "exactly one of them more than 0")
    need(run.batch_tokens >= 16, "run.batch_tokens", run.batch_tokens, "at least 16")
    need(run.pool >= 1, "run.pool", run.pool, "at least 1")
    need(0 <= run.examples <= run.pool, "run.examples", run.examples, "0 to run.pool, which they are taken from")
    need(optimizer.learning_rate >= 0, "optimizer.learning_rate", optimizer.learning_rate, "at least 0")
    need(0 < optimizer.layer_decay <= 1, "optimizer.layer_decay", optimizer.layer_decay, "in (0, 1]")
    need(0 <= optimizer.average < 1, "optimizer.average", optimizer.average, "in [0, 1)")


def _check_start(config: TrainConfig, need: _Needs) -> None:
    start = config.start
    need(start.layers >= 0, "start.layers", start.layers, "at least 0")
    need(min(start.pick, default=0) >= 0, "start.pick", start.pick, "no layer below 0")
    need(not (start.pick and start.layers), "start.pick, start.layers", (start.pick, start.layers), "one of them")
    need(
        bool(start.upper) or not start.upper_revision,
        "start.upper_revision",
        start.upper_revision,
        "none without start.upper",
    )
    need(start.similarity_at >= 0, "start.similarity_at", start.similarity_at, "at least 0")
    need(start.unit_layer >= 0, "start.unit_layer", start.unit_layer, "at least 0")
    layers = start.similarity_layers
    need(min(layers, default=0) >= 0, "start.similarity_layers", layers, "no layer below 0")
    need(bool(start.similarity) or not layers, "start.similarity_layers", layers, "none without start.similarity")
    teacher, distill = config.teacher, config.distill
    need(
        bool(teacher.model) or not teacher.revision,
        "teacher.revision",
        teacher.revision,
        "none without teacher.model",
    )
    need(
        bool(distill.model) or not distill.revision,
        "distill.revision",
        distill.revision,
        "none without distill.model",
    )
    need(start.freeze_layers >= -1, "start.freeze_layers", start.freeze_layers, "at least -1")


def _check_losses(config: TrainConfig, need: _Needs) -> None:
    taught = config.loss.teacher if config.teacher.model else min(config.loss.teacher, 0.0)
    weights = dataclasses.astuple(dataclasses.replace(config.loss, neighbour=0.0, teacher=taught))
    need(min(weights) >= 0 and max(weights) > 0, "loss", weights, "no negative weight and at least one above 0")
    need(0 <= config.loss.neighbour <= 1, "loss.neighbour", config.loss.neighbour, "a share in [0, 1]")
    need(config.teacher.temperature > 0, "teacher.temperature", config.teacher.temperature, "more than 0")
    distill = config.distill
    both = distill.model and config.teacher.model
    need(not both, "teacher.model", config.teacher.model, "none beside distill.model")
    need(distill.layer >= 0, "distill.layer", distill.layer, "at least 0")
    ways = (distill.tokens, distill.pooled)
    need(min(ways) >= 0 and max(ways) > 0, "distill.tokens, distill.pooled", ways, "none below 0 and one above")
    need.shares(distill, "distill", "pairs queries")
    need(distill.pairs + distill.queries <= 1, "distill.pairs + distill.queries", distill.pairs, "at most 1 together")


def _check_contrast(config: TrainConfig, need: _Needs) -> None:
    found, others = config.contrast, (config.distill.model, config.teacher.model)
    need(found.temperature >= 0, "contrast.temperature", found.temperature, "at least 0")
    need(not found.temperature or not any(others), "contrast", found.temperature, "no distill.model or teacher.model")
    weights = (found.own, found.batch, found.absolute, found.teacher)
    need(
        min(weights) >= 0 and max(weights[:3]) > 0,
        "contrast",
        weights,
        "none below 0 and one of labels above",
    )
    need(found.queries >= 1, "contrast.queries", found.queries, "at least 1")
    need(found.layers >= 0, "contrast.layers", found.layers, "at least 0")


def _check_dev(config: TrainConfig, need: _Needs) -> None:
    dev = config.dev
    need(0 < dev.evidence <= 1, "dev.evidence", dev.evidence, "in (0, 1]")
    need(set(dev.calibrate) <= set(dev.files), "dev.calibrate", dev.calibrate, "some of dev.files")

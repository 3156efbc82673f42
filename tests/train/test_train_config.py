"""Every mistake in a config is found before anything is loaded, and the message names the key."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from secateurs.errors import CheckpointError
from secateurs.train.checks import read_config
from secateurs.train.config import ConfigError, RunConfig, StartConfig
from secateurs.train.placement import place, resolve_precision
from secateurs.train.start import load_start

GOOD = 'sources = [{ path = "a.jsonl" }]\n[run]\nsteps = 1\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources = [", "not TOML"),
        ("[run]\nsteps = 1", "'sources' is missing"),
        ("sources = []\n[run]\nsteps = 1", "at least one"),
        ("sources = [{}]\n[run]\nsteps = 1", "sources\\[0\\].path"),
        ("sources = 3", "must be a list"),
        ("speed = 3\n" + GOOD, "unknown key 'speed'"),
        (GOOD + "sped = 3", "unknown key 'run.sped'"),
        (GOOD + "minuts = 3", "unknown key 'run.minuts', expected one of .*: did you mean 'minutes'"),
        (GOOD + "minutes = 3.0", "exactly one"),
        (GOOD + "[mix]\nnegative = 2", "mix.negative is 2.0"),
        (GOOD + "[mix]\nnegative = 0.6\njoined = 0.6", "at most 1"),
        (GOOD + "[mix]\nshortest = 90\nlongest = 80", "mix.shortest"),
        (GOOD + 'precision = "int4"', "expected one of 'auto', 'float32', 'bfloat16'"),
        (GOOD + 'batch_tokens = "many"', "must be of type int, got 'many'"),
        (GOOD + "seed = true", "must be of type int"),
        (GOOD + "[optimizer]\naverage = 1.0", "optimizer.average"),
        (GOOD + "[loss]\nsentence = 0\ntoken = 0\nspan = 0\norder = 0\nranking = 0", "loss is"),
        (GOOD + "[start]\nfreeze_layers = -2", "start.freeze_layers"),
        (GOOD + "[teacher]\ntemperature = 0", "teacher.temperature"),
        (GOOD + "[loss]\nteacher = -1", "loss is"),
        (GOOD + "examples = 600", "run.examples is 600, expected 0 to run.pool"),
        (GOOD + "[mix]\nratio = -1", "mix.ratio"),
        (GOOD + "[mix]\nratio = 2\njoined = 0.7\nwithout_evidence = 0.4", "at most 1"),
        (GOOD + "[mix]\nsame_weight = 2", "mix.same_weight"),
        (GOOD + '[optimizer]\nschedule = "steep"', "expected one of 'cosine', 'linear', 'constant'"),
        (GOOD + "[optimizer]\nlayer_decay = 0", "optimizer.layer_decay"),
        (GOOD + "[start]\npick = [0, -1]", "start.pick"),
        (GOOD + "[start]\npick = [0]\nlayers = 1", "one of them"),
        (GOOD + '[distill]\nmodel = "a"\n[teacher]\nmodel = "b"', "none beside distill.model"),
        (GOOD + "[distill]\npairs = 0.7\nqueries = 0.4", "distill.pairs"),
        (GOOD + "[distill]\ntokens = 0\npooled = 0", "none below 0 and one above"),
        (GOOD + "[start]\nsimilarity_layers = [0]", "none without start.similarity"),
        (GOOD + '[start]\nsimilarity = "a"\nsimilarity_layers = [-1]', "start.similarity_layers"),
        (GOOD + "[start]\nsimilarity_at = -1", "start.similarity_at"),
        (GOOD + "[contrast]\ntemperature = -0.1", "contrast.temperature"),
        (GOOD + "[contrast]\nown = 0\nbatch = 0\nabsolute = 0", "none below 0 and one of labels above"),
        (GOOD + "[contrast]\nqueries = 0", "contrast.queries"),
        (GOOD + "[contrast]\nlayers = -1", "contrast.layers"),
        (GOOD + '[contrast]\ntemperature = 0.1\n[teacher]\nmodel = "a"', "no distill.model or teacher.model"),
        (GOOD + '[dev]\nfiles = ["a"]\ncalibrate = ["b"]', "dev.calibrate"),
        ('sources = [{ path = "a.jsonl", fraction = 0 }]\n[run]\nsteps = 1', "sources\\[0\\].fraction"),
        ('sources = [{ path = "a.jsonl", labelled = false }]\n[run]\nsteps = 1', "sources\\[0\\].labelled is False"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Unknown, missing, misshapen and senseless values are ConfigErrors that name file and key."""
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as found:
        read_config(path)
    assert str(path) in str(found.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No file is an error of the user's, not a traceback."""
    with pytest.raises(ConfigError, match="cannot read the config"):
        read_config(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["everyday", "tower", "distill", "xsmall", "small", "head-only"])
def test_the_recipes_are_valid(name: str) -> None:
    """Each recipe that ships can be read."""
    config = read_config(Path(str(files("secateurs"))) / "train" / "recipes" / f"{name}.toml")
    assert config.sources


def test_what_cannot_be_loaded_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    """Too many layers and unknown architectures are told apart from damaged files."""
    with pytest.raises(ConfigError, match=r"start\.layers is 3, but the model has 2"):
        load_start(StartConfig(model=str(tiny_folder), layers=3))
    with pytest.raises(ConfigError, match=r"start\.freeze_layers is 9"):
        load_start(StartConfig(model=str(tiny_folder), freeze_layers=9))
    (tmp_path / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot train model_type 't5'"):
        load_start(StartConfig(model=str(tmp_path)))


def test_precision_is_what_was_asked_for() -> None:
    """A named precision is taken; auto never fails on a CPU."""
    assert resolve_precision("float32", torch.device("cpu")) == "float32"
    assert resolve_precision("auto", torch.device("cpu")) in ("float32", "bfloat16")
    run = replace(RunConfig(steps=1), device="cpu", precision="bfloat16")
    with place(run).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_config_is_read_by_its_mark(tmp_path: Path, encoding: str) -> None:
    """A config as Notepad or PowerShell writes it, behind a mark and with their line ends, is read like any other."""
    text = '[[sources]]\r\npath = "mühle.jsonl"\r\n[run]\r\nsteps = 3\r\n'
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode(encoding))
    config = read_config(path)
    assert (config.sources[0].path, config.run.steps) == ("mühle.jsonl", 3)

"""A run as a whole: it learns, it goes on where it was killed, and what it writes can be used."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer
from rich.console import Console
from typer.testing import CliRunner

from secateurs import Compressor
from secateurs.train.command import train
from secateurs.train.config import ConfigError, TrainConfig
from secateurs.train.data import Preparer
from secateurs.train.dev import DevSet
from secateurs.train.loop import LOG, Trainer
from secateurs.train.mixing import Mixer
from secateurs.train.placement import Accelerated, Placement, Plain, place
from secateurs.train.runner import run
from secateurs.train.start import load_start
from secateurs.train.state import STATE
from secateurs.train.task import Labels

Make = Callable[..., TrainConfig]
QUIET = Console(quiet=True)


def trainer(
    config: TrainConfig,
    report: Callable[[object, float], None] | None = None,
    placement: Placement | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Trainer:
    """Put a trainer together as the command does."""
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    task = Labels(config, start, mixer)
    return Trainer(config, task, placement=placement or place(config.run), report=report, stop=stop)


def losses(config: TrainConfig) -> list[float]:
    """Return the logged losses of a run."""
    lines = (Path(config.output) / LOG).read_text(encoding="utf-8").splitlines()
    return [entry["loss"]["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_twenty_steps_on_eight_records_lower_the_loss(make_config: Make) -> None:
    """A model learns the records it sees."""
    config = make_config()
    trainer(config).run()
    first, *_, last = losses(config)
    assert last < 0.8 * first


@pytest.mark.parametrize(
    "where", ["bfloat16", "accelerate", pytest.param("cuda", marks=pytest.mark.cuda)], ids=lambda where: where
)
def test_a_model_learns_wherever_it_runs(make_config: Make, where: str) -> None:
    """Half precision and accelerate learn the same records."""
    if where == "accelerate":
        pytest.importorskip("accelerate", reason="the extra `train` is not installed")
    if where == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    config = make_config()
    placement: Placement = Plain(torch.device("cpu"), "bfloat16")
    if where != "bfloat16":
        placement = Accelerated("bfloat16" if where == "cuda" else "float32", cpu=where == "accelerate")
    trainer(config, placement=placement).run()
    first, *_, last = losses(config)
    assert last < 0.8 * first


def test_dev_scores_are_the_compressors(make_config: Make, tiny: Compressor) -> None:
    """What is measured and calibrated is what the compressor will say, windows and long sentences included."""
    config = make_config()
    dev = replace(config.dev, files=("dev.jsonl",))
    start = load_start(config.start)
    scores = DevSet(dev, Path(config.data), start, 8).score(start.model, place(config.run))
    records = [json.loads(line) for line in (Path(config.data) / "dev.jsonl").read_text("utf-8").splitlines()]
    records.sort(key=lambda record: hashlib.sha256(record["id"].encode()).hexdigest())
    results = tiny.compress_pairs([(record["query"], record["context"]) for record in records])
    for result, found in zip(results, scores, strict=True):
        assert found == pytest.approx([sentence.score for sentence in result.sentences], abs=1e-5)


def test_a_run_killed_at_step_ten_ends_bit_for_bit_like_one_that_was_not(make_config: Make) -> None:
    """state.pt holds all that decides the rest of a run."""
    whole = trainer(make_config("whole")).run().state_dict()

    class KilledError(Exception):
        pass

    def kill(progress: object, fraction: float) -> None:
        if fraction == 0.5:
            raise KilledError

    config = make_config("killed")
    first = trainer(config, kill)
    with pytest.raises(KilledError):
        first.run()
    first.save()
    second = trainer(config)
    assert second.progress.step == 10
    resumed = second.run().state_dict()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_a_half_written_state_is_never_seen(make_config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while state.pt is written leaves the one before it."""
    config = make_config()
    one = trainer(config)
    one.run()
    good = (Path(config.output) / STATE).read_bytes()

    def half(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        one.save()
    assert (Path(config.output) / STATE).read_bytes() == good


def test_a_damaged_state_is_one_line_that_names_the_way_out(make_config: Make) -> None:
    """Cut short, empty, overwritten or with a flipped bit, state.pt is refused, and --restart is named."""
    config = make_config()
    one = trainer(config)
    one.save()
    path = Path(config.output) / STATE
    good = path.read_bytes()
    weight = torch.load(path, weights_only=True)["learner"]["model.encoder.tokens.weight"]
    middle = good.index(weight.numpy().tobytes()) + 100
    flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    other = io.BytesIO()
    torch.save({"settings": json.loads("[]")}, other)
    foreign = io.BytesIO()
    torch.save([1], foreign)
    for damage in (good[:-100], good[:middle], b"", b"hello", flipped, other.getvalue(), foreign.getvalue()):
        path.write_bytes(damage)
        with pytest.raises(ConfigError, match="--restart") as caught:
            trainer(config)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 1000
        assert path.read_bytes() == damage
    path.write_bytes(good)
    assert trainer(config).progress.step == 0


@pytest.mark.parametrize("torn", [b"", b'{"step": 15, "minu', b"\0\0\0"])
def test_a_torn_line_of_the_log_is_cut_off(make_config: Make, torn: bytes) -> None:
    """What a kill left of the log's last line is gone when the run goes on, and every line is whole."""
    config = make_config()
    log = Path(config.output) / LOG
    log.parent.mkdir(parents=True)
    log.write_bytes(b'{"step": 0}\n' + torn)
    trainer(config).run()
    assert [json.loads(line)["step"] for line in log.read_bytes().splitlines()] == [0, 5, 10, 15, 20]


def test_a_run_with_other_settings_is_not_taken_over(make_config: Make) -> None:
    """A folder belongs to one set of settings; the error says what to do."""
    config = make_config()
    trainer(config).run()
    other = replace(config, optimizer=replace(config.optimizer, learning_rate=0.5))
    with pytest.raises(ConfigError, match="--restart"):
        trainer(other)


@pytest.mark.parametrize("start", ["", "freeze_layers = -1", "layers = 1", "freeze_layers = 1"])
def test_a_finished_checkpoint_compresses(make_config: Make, start: str) -> None:
    """What training writes is a complete checkpoint with its threshold and card."""
    config = make_config(start=start, dev='files = ["dev.jsonl"]\nevery_steps = 10')
    folder, measured = run(config, QUIET)
    assert measured is not None
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert 0 <= raw["default_threadshold"] <= 1
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "train.jsonl" in card and "dev.jsonl" in card and "sha256" in card
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        result = compressor.compress("Who built the mill?", ["It rained. The mill was built by Ann Lee. Why?"])[0]
    assert result.status != "error"
    assert len(result.sentences) == 3


def test_word_embeddings_in_8_bits_score_almost_alike(make_config: Make) -> None:
    """With `table = "int8"` the file holds integers and scales, is smaller, and scores change in the third digit."""
    config = make_config(dev="")
    pair = ("Who built the mill?", ["It rained. The mill was built by Ann Lee. Why?"])
    scores, sizes = [], []
    for table in ("float16", "int8"):
        folder, _ = run(replace(config, run=replace(config.run, table=table), output=config.output + table), QUIET)
        sizes.append((folder / "model.safetensors").stat().st_size)
        with Compressor.from_pretrained(folder, device="cpu") as compressor:
            scores.append([unit.score for unit in compressor.compress(*pair)[0].sentences])
    assert sizes[1] < sizes[0]
    assert scores[1] == pytest.approx(scores[0], abs=5e-3)
    assert scores[1] != scores[0]


@pytest.mark.parametrize("start", ["", 'vocabulary_texts = ["other.jsonl"]'])
def test_a_plain_encoder_is_a_start(make_config: Make, tiny_encoder: Path, start: str) -> None:
    """An encoder without heads is given heads; a smaller vocabulary is written with its tokenizer."""
    config = make_config(model=tiny_encoder, start=start)
    folder, _ = run(config, QUIET)
    rows = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    before = json.loads((tiny_encoder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    assert (rows < before) is bool(start)
    first, *_, last = losses(config)
    assert last < first
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        assert compressor.compress("Who built the mill?", ["Ann Lee. Nobody."])[0].status != "error"


def test_only_what_is_not_frozen_changes(make_config: Make) -> None:
    """Frozen parameters are the same after training; the head is not."""
    config = make_config(start="freeze_layers = -1", average=0.0)
    before = {name: tensor.clone() for name, tensor in load_start(config.start).model.state_dict().items()}
    after = trainer(config).run().state_dict()
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed and all(name.startswith(("pruning.", "ranking.")) for name in changed)


def test_training_stops_when_dev_gets_no_better(make_config: Make) -> None:
    """Early stopping counts measurements without a better one."""
    config = make_config(dev='files = ["dev.jsonl"]\nevery_steps = 2\npatience = 2')
    config = replace(config, optimizer=replace(config.optimizer, learning_rate=0.0, head_learning_rate=0.0))
    run(config, QUIET)
    progress = torch.load(Path(config.output) / STATE, weights_only=True)["progress"]
    assert progress["step"] == 6


def test_paths_of_a_config_are_beside_it(
    make_config: Make, tmp_path: Path, data_folder: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data, output and folders of models are relative to the config, wherever the command is called from."""
    make_config()
    config = tmp_path / "config.toml"
    (tmp_path / "data").symlink_to(data_folder)
    (tmp_path / "start").symlink_to(tiny_folder)
    text = config.read_text(encoding="utf-8")
    for absolute, relative in ((data_folder, "data"), (tmp_path / "run", "runs/one"), (tiny_folder, "start")):
        assert json.dumps(str(absolute)) in text
        text = text.replace(json.dumps(str(absolute)), json.dumps(relative))
    config.write_text(text, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    app = typer.Typer()
    app.command()(train)
    result = CliRunner().invoke(app, ["../config.toml", "--steps", "2"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "runs" / "one" / "checkpoint" / "model.safetensors").is_file()
    assert not list(elsewhere.iterdir())


def test_the_command_trains_from_a_file(make_config: Make, tmp_path: Path) -> None:
    """The command reads the config, its options win over it, and a second call goes on."""
    make_config()
    app = typer.Typer()
    app.command()(train)
    output = tmp_path / "elsewhere"
    for arguments in (["--steps", "3"], ["--steps", "3"], ["--steps", "2", "--restart"]):
        result = CliRunner().invoke(app, [str(tmp_path / "config.toml"), "--output", str(output), *arguments])
        assert result.exit_code == 0, result.output
        assert (output / "checkpoint" / "model.safetensors").is_file()
    assert torch.load(output / STATE, weights_only=True)["progress"]["step"] == 2
    with pytest.raises(ConfigError, match="pass one of them"):
        train(tmp_path / "config.toml", steps=3, minutes=1.0)

"""A defective checkpoint is refused, and the message names what is wrong with it and what to do."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from reference import GOLDEN, changed, family_of, load_cpu
from safetensors.torch import load_file, save_file

from secateurs import Compressor, Error
from secateurs.errors import CheckpointError

Change = Callable[[Path], object]
LAYER = "ranking_model.model.layers.1."


def tensors(change) -> Change:
    """Return a change of the weights file."""

    def apply(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        save_file(change(held) or held, folder / "model.safetensors")

    return apply


def config(change) -> Change:
    """Return a change of the config."""

    def apply(folder: Path) -> None:
        fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        change(fields)
        (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")

    return apply


def base(**fields) -> Change:
    """Return a change of the backbone's config."""
    return config(lambda c: c["base_model_config"].update(fields))


def without(*names: str) -> Change:
    """Return a change that removes tensors by the beginning of their names."""
    return tensors(lambda held: {name: tensor for name, tensor in held.items() if not name.startswith(names)})


def head(weight: tuple[int, int]) -> Change:
    """Return a change of the pruning head's shape."""
    name = "pruning_head.classifier."
    return tensors(lambda held: held | {name + "weight": torch.ones(weight), name + "bias": torch.ones(weight[0])})


def write(name: str, content: bytes) -> Change:
    """Return a change that writes a file."""
    return lambda folder: (folder / name).write_bytes(content)


def cut(size: float) -> Change:
    """Return a change that cuts the weights file to a share, or to a number of bytes."""

    def apply(folder: Path) -> None:
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(content[: int(size if size > 1 else size * len(content))])

    return apply


def delete(*names: str) -> Change:
    """Return a change that deletes files."""
    return lambda folder: [(folder / name).unlink() for name in names]


def poison(name: str, value: float) -> Change:
    """Return a change that puts one value into a tensor."""

    def apply(held) -> None:
        held[name].view(-1)[0] = value

    return tensors(apply)


def shards(index: dict[str, str] | None = None) -> Change:
    """Return a change that cuts the weights into two files with an index; `index` replaces its entries."""

    def apply(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        names = sorted(held)
        homes = {}
        for number, some in enumerate((names[:10], names[10:])):
            save_file({name: held[name] for name in some}, folder / f"model-{number}.safetensors")
            homes |= dict.fromkeys(some, f"model-{number}.safetensors")
        text = json.dumps({"metadata": {}, "weight_map": homes | (index or {})})
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
        (folder / "model.safetensors").unlink()

    return apply


def larger_tokenizer(folder: Path) -> None:
    """Add a token the model has no embedding for."""
    fields = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    rows = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    token = {"id": rows, "content": "EXTRA", "special": False, "normalized": False}
    fields["added_tokens"].append(token | {"single_word": False, "lstrip": False, "rstrip": False})
    (folder / "tokenizer.json").write_text(json.dumps(fields), encoding="utf-8")


class Bomb:
    """Creates a folder where it is unpickled."""

    def __reduce__(self):
        """Say how it is made again."""
        return Path.mkdir, (Path("PICKLE-CODE-WAS-EXECUTED"),)


def only_pickle(folder: Path) -> None:
    """Replace the weights by a pickle with code in it."""
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    (folder / "model.safetensors").unlink()


def both(*changes: Change) -> Change:
    """Return a change that is several, one after another."""
    return lambda folder: [change(folder) for change in changes]


REFUSED: dict[str, tuple[str, Change, str]] = {
    "missing-head-weight": ("gte", without("pruning_head.classifier.weight"), "lacks pruning_head.classifier.weight"),
    "missing-head": ("gte", without("pruning_head."), "pruning_head.classifier.weight, pruning_head.classifier.bias"),
    "missing-backbone-tensor": ("gte", without(LAYER + "attn.Wqkv"), f"lacks {LAYER}attn.Wqkv.weight"),
    "missing-layer": ("gte", without(LAYER), "config.json says 4 layers, the file holds 3"),
    "missing-ranking-classifier": (
        "gte",
        without("ranking_model.classifier.weight"),
        "ranking_model.classifier.weight",
    ),
    "missing-ranking-dense": ("gte", without("ranking_model.head.dense"), "lacks ranking_model.head.dense.weight"),
    "head-three-rows": ("gte", head((3, 48)), r"pruning_head.classifier.weight is \(3, 48\), expected \(2, 48\)"),
    "head-one-row": ("gte", head((1, 48)), r"pruning_head.classifier.weight is \(1, 48\)"),
    "head-wrong-width": ("gte", head((2, 12)), r"pruning_head.classifier.weight is \(2, 12\)"),
    "extra-tensor": (
        "gte",
        tensors(lambda t: t | {"mystery.adapter.weight": torch.ones(2)}),
        "mystery.adapter.weight",
    ),
    "extra-layer": ("gte", base(num_hidden_layers=3), "config.json says 3 layers, the file holds 4"),
    "mixed-prefixes": (
        "gte",
        tensors(lambda t: {k.removeprefix("ranking_model." * ("layers.1." in k)): v for k, v in t.items()}),
        "no place for model.layers.1.",
    ),
    "nan-in-head": (
        "gte",
        poison("pruning_head.classifier.bias", float("nan")),
        "pruning_head.classifier.bias.* finite",
    ),
    "nan-in-backbone": ("gte", poison(LAYER + "attn.Wo.weight", float("nan")), "attn.Wo.weight.* finite"),
    "infinite-embedding": (
        "gte",
        poison("ranking_model.model.embeddings.tok_embeddings.weight", float("inf")),
        "tok_embeddings.weight.* finite",
    ),
    "quantized": ("gte", tensors(lambda t: t | {LAYER + "mlp.Wo.weight": t[LAYER + "mlp.Wo.weight"].char()}), "int8"),
    "scales-of-other-rows": (
        "gte",
        tensors(
            lambda t: (
                t
                | {
                    LAYER + "mlp.Wo.weight": t[LAYER + "mlp.Wo.weight"].char(),
                    LAYER + "mlp.Wo.weight_scale": torch.ones(3),
                }
            )
        ),
        "mlp.Wo.weight_scale.* expected one floating-point scale for each row",
    ),
    "infinite-scale": (
        "gte",
        tensors(
            lambda t: (
                t
                | {
                    LAYER + "mlp.Wo.weight": t[LAYER + "mlp.Wo.weight"].char(),
                    LAYER + "mlp.Wo.weight_scale": torch.full((len(t[LAYER + "mlp.Wo.weight"]),), float("inf")),
                }
            )
        ),
        "mlp.Wo.weight.* finite",
    ),
    "scales-of-a-matrix-in-16-bits": (
        "gte",
        tensors(lambda t: t | {LAYER + "mlp.Wo.weight_scale": torch.ones(len(t[LAYER + "mlp.Wo.weight"]))}),
        "no place for .*mlp.Wo.weight_scale",
    ),
    "truncated-weights": ("gte", cut(0.6), "model.safetensors.*Download it again"),
    "truncated-header": ("gte", cut(200), "model.safetensors.*Download it again"),
    "empty-weights": ("gte", cut(0), "model.safetensors.*Download it again"),
    "lfs-pointer": (
        "gte",
        write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n" * 3),
        "Git LFS",
    ),
    "no-weights": ("gte", delete("model.safetensors"), "no model.safetensors"),
    "unknown-model-type": (
        "gte",
        config(lambda c: c.update(model_type="next")),
        "'next'.*open_provence.*Provence.*XProv",
    ),
    "no-model-type": ("gte", config(lambda c: c.pop("model_type")), "model_type None"),
    "unknown-backbone": (
        "gte",
        base(model_type="gpt"),
        "'base_model_config'.*bert, xlm-roberta, modernbert, got 'gpt'",
    ),
    "backbone-without-type": ("gte", config(lambda c: c["base_model_config"].pop("model_type")), "got None"),
    "no-backbone": ("gte", config(lambda c: c.update(base_model_config=None)), "'base_model_config' must describe"),
    "other-backbone-size": ("gte", base(hidden_size=64), r"tensors of the wrong shape.*expected \(64,"),
    "heads-do-not-divide": ("gte", base(num_attention_heads=7), "48 cannot be divided among 7"),
    "text-for-a-number": ("gte", base(hidden_size="48"), "'hidden_size' must be of type int, got '48'"),
    "unknown-activation": ("gte", base(hidden_activation="mish"), "'mish', expected one of gelu"),
    "window-of-nothing": ("gte", config(lambda c: c.update(max_length=3)), "a window of 3 tokens is too short"),
    "threshold-of-two": (
        "gte",
        config(lambda c: c.update(default_threadshold=2)),
        r"expected a probability in \[0, 1\]",
    ),
    "remote-code-only": (
        "gte",
        both(config(lambda c: c.update(model_type="custom")), write("modeling.py", b"raise SystemExit")),
        "'custom' is none of the layouts",
    ),
    "config-not-json": ("gte", write("config.json", b"{ not json"), "cannot read .*config.json"),
    "config-a-list": ("gte", write("config.json", b"[]"), "holds list, expected a JSON object"),
    "config-missing": ("gte", delete("config.json"), "no config.json"),
    "tokenizer-missing": ("gte", delete("tokenizer.json"), "no tokenizer.json"),
    "tokenizer-damaged": ("gte", write("tokenizer.json", b"{}"), "cannot read .*tokenizer.json"),
    "tokenizer-too-large": ("gte", larger_tokenizer, "embeddings only: they do not belong together"),
    "pickle-only": ("gte", only_pickle, r"pickled weights \(pytorch_model.bin\).*Convert them to model.safetensors"),
    "shard-missing": (
        "gte",
        both(shards(), delete("model-1.safetensors")),
        "names model-1.safetensors, which is not",
    ),
    "shard-outside": ("gte", shards({"x": "../other/model.safetensors"}), "outside the checkpoint's folder"),
    "shard-absolute": ("gte", shards({"x": "/etc/passwd"}), "outside the checkpoint's folder"),
    "index-damaged": (
        "gte",
        both(shards(), write("model.safetensors.index.json", b"{}")),
        "cannot read .*index.json",
    ),
    "provence-without-token-head": ("provence", without("token_classifier."), "lacks token_classifier.weight"),
    "provence-without-ranking": (
        "provence",
        without("pooler.", "classifier."),
        "lacks pooler.dense.weight.*classifier",
    ),
    "provence-extra-tensor": ("provence", tensors(lambda t: t | {"lm_head.bias": torch.ones(2)}), "lm_head.bias"),
    "provence-other-attention": (
        "provence",
        config(lambda c: c.update(share_att_key=False)),
        "share_att_key is False",
    ),
    "provence-one-direction": ("provence", config(lambda c: c.update(pos_att_type=["c2p"])), "pos_att_type is"),
    "provence-with-convolution": (
        "provence",
        config(lambda c: c.update(conv_kernel_size=3)),
        "conv_kernel_size is 3",
    ),
    "xprovence-without-pooler": ("xprovence", without("roberta.pooler."), "lacks roberta.pooler.dense.weight"),
    "xprovence-without-ranking": (
        "xprovence",
        without("roberta.pooler.", "classifier."),
        "roberta.pooler.*classifier",
    ),
    "xprovence-half-bge-head": (
        "xprovence-bge-head",
        without("classifier.out_proj"),
        "lacks classifier.out_proj.weight",
    ),
    "xprovence-two-heads": (
        "xprovence",
        tensors(
            lambda t: t | {"classifier.dense.weight": torch.ones(32, 32), "classifier.out_proj.weight": torch.ones(1)}
        ),
        "two ranking heads, roberta.pooler.dense .* classifier.out_proj.*Remove",
    ),
    "opensearch-unnamed": ("opensearch", lambda folder: None, "'bert'.*name it with `family`.*opensearch.*any BERT"),
}
NAMED: dict[str, tuple[Change, str]] = {
    "missing-classifier": (without("classifier."), "lacks classifier.weight, classifier.bias"),
    "three-labels": (
        tensors(lambda t: t | {"classifier.weight": torch.ones(3, 40), "classifier.bias": torch.ones(3)}),
        r"classifier.weight is \(3, 40\), expected \(2, 40\)",
    ),
    "extra-layer": (config(lambda c: c.update(num_hidden_layers=2)), "config.json says 2 layers, the file holds 3"),
}


def copy_of(source: str, target: Path) -> Path:
    """Copy a golden checkpoint."""
    return changed("openprovence-gte" if source == "gte" else source, target)


@pytest.mark.parametrize("name", REFUSED)
def test_a_defective_checkpoint_is_refused_by_name(name, tmp_path, monkeypatch) -> None:
    """Each defect raises a CheckpointError that names the file or tensor and what was expected."""
    monkeypatch.chdir(tmp_path)
    source, change, message = REFUSED[name]
    folder = copy_of(source, tmp_path / "checkpoint")
    change(folder)
    with pytest.raises(CheckpointError, match=f"(?s){message}") as caught:
        Compressor.from_pretrained(folder, device="cpu")
    assert isinstance(caught.value, Error)
    assert "checkpoint" in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not Path("PICKLE-CODE-WAS-EXECUTED").exists()


@pytest.mark.parametrize("name", NAMED)
def test_a_named_family_is_checked_like_a_detected_one(name, tmp_path) -> None:
    """Naming the family does not make an ordinary BERT pass."""
    change, message = NAMED[name]
    folder = copy_of("opensearch", tmp_path / "checkpoint")
    change(folder)
    with pytest.raises(CheckpointError, match=message):
        Compressor.from_pretrained(folder, device="cpu", family="opensearch")


LOADED: dict[str, Change] = {
    "untouched": lambda folder: None,
    "with-code-beside": write("modeling_open_provence_standalone.py", b"raise SystemExit('this file was imported')"),
    "with-a-pickle-beside": write("pytorch_model.bin", pickle.dumps(Bomb())),
    "sharded": shards(),
    "without-special-token-lists": lambda folder: (folder / "special_tokens_map.json").unlink(),
    "with-fields-nobody-knows": config(lambda c: c.update(quantum=True, auto_map={"AutoModel": "evil.Model"})),
}


@pytest.mark.parametrize("name", LOADED)
def test_what_lies_beside_the_weights_changes_nothing(name, tmp_path, monkeypatch) -> None:
    """Code, pickles and unknown fields are not read, and shards are the same weights."""
    monkeypatch.chdir(tmp_path)
    folder = copy_of("gte", tmp_path / "checkpoint")
    LOADED[name](folder)
    document = "Tides are the slow rise and fall of the sea. The Sun adds a smaller push of its own."
    found, expected = (
        Compressor.from_pretrained(path, device="cpu").compress("What causes tides?", [document])[0]
        for path in (folder, GOLDEN / "openprovence-gte")
    )
    assert [s.score for s in found.sentences] == pytest.approx([s.score for s in expected.sentences], abs=1e-6)
    assert not Path("PICKLE-CODE-WAS-EXECUTED").exists()


READ = re.compile(
    "size|num_.*(layers|heads)|_act|_eps|position|attention$|every|theta|rope|pooling|type|max_len|bias$"
)


@pytest.mark.parametrize("source", ["openprovence-gte", "zilliz", "provence", "xprovence", "opensearch"])
def test_no_value_of_a_config_breaks_the_loader(source, tmp_path) -> None:
    """Whatever stands in a field, the checkpoint loads or is refused with a CheckpointError."""
    folder = changed(source, tmp_path / "checkpoint")
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    refused = 0
    for part in (fields, fields.get("base_model_config", {})):
        for key, before in [item for item in part.items() if READ.search(item[0])]:
            for value in (None, "x", -1, 0, [], float("nan")):
                part[key] = value
                (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
                try:
                    load_cpu(folder, family_of(source))
                except CheckpointError:
                    refused += 1
            part[key] = before
    assert refused > 30


def test_a_plain_reranker_under_the_wrapper_has_no_ranking_score_if_it_has_no_head(tmp_path) -> None:
    """Without any tensor of a ranking head the OpenProvence layout loads, and says None."""
    folder = copy_of("gte", tmp_path / "checkpoint")
    without("ranking_model.classifier", "ranking_model.head", "ranking_model.model.final_norm")(folder)
    with pytest.raises(CheckpointError, match="final_norm"):
        Compressor.from_pretrained(folder, device="cpu")
    shutil.rmtree(folder)
    copy_of("gte", folder)
    without("ranking_model.classifier", "ranking_model.head")(folder)
    result = Compressor.from_pretrained(folder, device="cpu").compress("What?", ["Tides rise. The Sun pushes."])[0]
    assert result.ranking_score is None
    assert result.status != "error"


def test_weights_too_large_for_half_precision_are_caught_at_load(tmp_path) -> None:
    """A weight beyond float16 is named at load instead of becoming infinite."""
    folder = copy_of("gte", tmp_path / "checkpoint")
    poison(LAYER + "mlp.Wo.weight", 1e6)(folder)
    assert Compressor.from_pretrained(folder, device="cpu")
    with pytest.raises(CheckpointError, match=re.escape(LAYER + "mlp.Wo.weight") + ".*float16.*dtype='float32'"):
        Compressor.from_pretrained(folder, device="cpu", dtype="float16")

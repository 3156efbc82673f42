"""No code of a checkpoint runs, and what it says is shown as text."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hostile_parts import Bomb, change_json, fifo, huge, outside, small_checkpoint
from watchdog import run_python


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound checkpoint of a few thousand bytes."""
    return small_checkpoint(tmp_path / "checkpoint")


CODE_FILES = (
    "modeling_evil.py",
    "__init__.py",
    "custom_pipeline.py",
    "handler.py",
    "conftest.py",
    "sitecustomize.py",
)
PICKLES = ("pytorch_model.bin", "model.pt", "model.pkl", "training_args.bin", "weights.npy", "arrays.npz")
JINJA = "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}"


def with_code(folder: Path, canary: Path) -> None:
    """Put everything into a folder that ever ran code where such a folder was loaded."""
    run = f"open({str(canary)!r}, 'w').write('code of the checkpoint ran')\n"
    for name in CODE_FILES:
        (folder / name).write_text(run, encoding="utf-8")
    for name in PICKLES:
        (folder / name).write_bytes(pickle.dumps(Bomb(canary)))
    jinja = JINJA.replace("CANARY", str(canary))
    (folder / "chat_template.jinja").write_text(jinja, encoding="utf-8")
    evil = {
        "auto_map": {"AutoConfig": "modeling_evil.Evil", "AutoModel": "evil/repo--modeling_evil.Evil"},
        "_attn_implementation_internal": "evil/repo:kernel",
        "_attn_implementation": "evil/repo",
        "attn_implementation": "evil/repo",
        "trust_remote_code": True,
        "custom_pipelines": {"evil": {"impl": "custom_pipeline.Evil", "pt": ["AutoModel"]}},
        "quantization_config": {"quant_method": "evil", "modules_to_not_convert": ["modeling_evil"]},
        "_name_or_path": "evil/repo",
        "architectures": ["modeling_evil.Evil"],
        "torch_dtype": "os.system",
    }
    change_json(folder / "config.json", lambda c: (c.update(evil), c["base_model_config"].update(evil), None)[2])
    kinds = {
        "tokenizer_class": "modeling_evil.Evil",
        "chat_template": jinja,
        "auto_map": {"AutoTokenizer": ["modeling_evil.Evil", None]},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(kinds), encoding="utf-8")


LOADER = """
import sys
from pathlib import Path

seen = []
ours = Path(sys.argv[1]).resolve()

def watch(event, arguments):
    if event.startswith(("socket.", "pickle.", "subprocess.", "os.system", "os.exec", "os.posix_spawn")):
        seen.append((event, str(arguments)))
    elif event == "open" and isinstance(arguments[0], str) and Path(arguments[0]).is_relative_to(ours):
        seen.append((event, Path(arguments[0]).name))

import secateurs.checkpoints.catalogue, secateurs.compressor  # what is ours is imported before it is watched
secateurs.Compressor.from_pretrained(sys.argv[2], device="cpu").compress("Is it warm?", ["It is warm. It is not."])
before = set(sys.modules)
sys.addaudithook(watch)
try:
    compressor = secateurs.Compressor.from_pretrained(sys.argv[1], device="cpu")
    result = compressor.compress("Who built the mill?", ["The mill was built. It burned."])[0]
    print([sentence.score for sentence in result.sentences])
    compressor.close()
except secateurs.CheckpointError as error:
    print(error)
secateurs.checkpoints.catalogue.explain(sys.argv[1])
here = [name for name in set(sys.modules) - before if str(ours) in str(getattr(sys.modules[name], "__file__", ""))]
opened = sorted({name for event, name in seen if event == "open"})
print([item for item in seen if item[0] != "open"], here, opened)
"""


@pytest.mark.parametrize("weights", [True, False], ids=["beside-the-weights", "instead-of-the-weights"])
def test_no_code_of_a_checkpoint_runs(weights: bool, folder: Path, tmp_path: Path) -> None:
    """Pickles, modules, templates and configs that name code: the canary stays away, and none of them is even opened.

    The interpreter's own audit events are watched in a process of its own: no unpickling, no socket, no program
    started, no module of the folder imported, and of the folder's files only the data files opened.
    """
    canary, warm = tmp_path / "CANARY", small_checkpoint(tmp_path / "warm")
    sound = run_python(["-c", LOADER, str(folder), str(warm)], cwd=tmp_path) if weights else None
    with_code(folder, canary)
    if not weights:
        (folder / "model.safetensors").unlink()
    ended = run_python(["-c", LOADER, str(folder), str(warm)], cwd=tmp_path)
    assert ended.status == 0, ended.stderr
    said, seen = ended.stdout.splitlines()
    assert not canary.exists()
    # safetensors opens its file itself, in native code
    assert (
        seen == f"[] [] {sorted(['config.json', 'tokenizer.json', 'tokenizer_config.json'][: 3 if weights else 1])}"
    )
    if sound is not None:
        assert said == sound.stdout.splitlines()[0]
    else:
        assert "holds only pickled weights (arrays.npz, model.pkl" in said and "safetensors" in said


def test_offline_nothing_is_asked(folder: Path, tmp_path: Path) -> None:
    """Offline a name that is not on this machine is a CheckpointError, and no socket is even made."""
    program = LOADER.replace("sys.argv[1]", "'evil/repo'")
    ended = run_python(
        ["-c", program, "", str(folder)], cwd=tmp_path, env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    )
    assert ended.status == 0, ended.stderr
    said, seen = ended.stdout.splitlines()
    assert "'evil/repo' is not in the local cache" in said
    assert seen.startswith("[] []")


def test_what_a_checkpoint_says_is_shown_as_text(folder: Path) -> None:
    """`secateurs models show` prints names from a hostile folder without obeying them: no markup, no escapes."""
    (folder / "[bold]evil[red]\x1b[2J.py").write_text("", encoding="utf-8")
    change_json(folder / "config.json", lambda c: c.update(model_type="[/red]\x1b[2J[link=file:///etc/passwd]"))
    for family in ([], ["--family", "openprovence"]):
        ended = run_python(["-m", "secateurs", "models", "show", str(folder), *family], env={"FORCE_COLOR": None})
        assert ended.status == (0 if family else 1), ended.stderr
        assert "Traceback" not in ended.stderr and "\x1b" not in ended.stdout
        assert r"[/red]\x1b[2J[link=file:///etc/passwd]" in ended.stdout.replace("\n", "")


def test_a_cache_of_hostile_models_is_listed(folder: Path, tmp_path: Path) -> None:
    """`secateurs models` passes over what is no checkpoint of ours in the cache: pipes, bombs and links."""
    hub = tmp_path / "hub"
    for name, make in (("sound", None), ("pipe", fifo), ("link", outside), ("deep", huge)):
        snapshot = hub / f"models--owner--{name}" / "snapshots" / "abc"
        snapshot.mkdir(parents=True)
        if make is None:
            (snapshot / "config.json").write_bytes((folder / "config.json").read_bytes())
        else:
            make(snapshot / "config.json")
    ended = run_python(["-m", "secateurs", "models"], env={"HF_HUB_CACHE": str(hub), "HF_HOME": str(tmp_path)})
    assert ended.status == 0, ended.stderr
    assert "owner/sound" in ended.stdout and "owner/pipe" not in ended.stdout

"""Pages and docstrings say what is true: every block runs, every output is the real one, every link leads on."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import typer
from page_blocks import LONG, MAP, PAGES, README, ROOT, at_root, blocks, refreshed, run_python, text_of

import secateurs
from secateurs.cli import app as cli

OPTIONAL = ("langchain", "llama_index", "train", "evaluate", "annotate", "serve", "ray", "mcp", "bench", "bulk")
BYTES = {README: 10_000}  # of a page; 8,000 of the others
KINDS = {"python", "sh", "text", "console", "json", "toml"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def modules() -> list[str]:
    found = (module.name for module in pkgutil.walk_packages(secateurs.__path__, "secateurs."))
    return ["secateurs", *(name for name in found if name.split(".")[1] not in (*OPTIONAL, "__main__"))]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name):
    """The examples in docstrings give what they say."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_its_blocks_print(page):
    """Every block runs, in order and in one namespace, and prints what stands there; see `tests/docs/refresh.py`."""
    for block in blocks(text_of(page), "python"):
        compile(block.code, page, "exec")
    assert refreshed(page) == text_of(page)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")
@pytest.mark.parametrize("page", LONG)
def test_a_long_page_runs_too(page):
    """What wants Ray runs as it stands there."""
    with at_root():
        for block in blocks(text_of(page), "python"):
            run_python(block.code, {}, page)


def test_the_first_screen_is_the_commands_own():
    """The README's first command, in a process of its own, prints exactly what stands under it, to the digit."""
    command = re.search(r"secateurs (compress .*)", blocks(text_of(README), "sh")[0].code)
    shown = blocks(text_of(README), "text")[0].code
    done = subprocess.run(
        [sys.executable, "-m", "secateurs", *shlex.split(command.group(1))],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        env={**cleared(), "PYTHONIOENCODING": "utf-8"},
        check=True,
    )
    assert [line.rstrip() for line in done.stdout.rstrip().splitlines()] == shown.rstrip().splitlines()


def cleared() -> dict[str, str]:
    """The environment without what a terminal would say of itself."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}


@pytest.mark.parametrize("section", ["In Python", "LangChain", "LlamaIndex", "Agents"])
def test_a_first_block_stands_alone(section):
    """Who copies the block of one section only has all it needs."""
    part = text_of(README).split(f"\n## {section}\n", 1)[1]
    with at_root():
        run_python(blocks(part, "python")[0].code, {}, README)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_can_be_used(page):
    """A block is of a kind that is checked; JSON and TOML parse; commands, options, extras and files are there."""
    for block in blocks(text_of(page)):
        assert block.kind in KINDS, block.kind
        if block.kind == "json":
            json.loads(block.code)
        elif block.kind == "toml":
            tomllib.loads(block.code)
        elif block.kind == "sh":
            for words in commands(block.code):
                check_command(words, page)


def commands(code: str) -> Iterator[list[str]]:
    """Yield the commands of a block, in words."""
    for line in code.splitlines():
        for command in re.split(r"\s&&\s", line):
            words = shlex.split(command, comments=True)
            if words:
                yield words


def check_command(words: list[str], page: str) -> None:
    """Check that a command could run here: what it names is there."""
    name, rest = words[0].rpartition("/")[2] if words[0].startswith(".venv/") else words[0], words[1:]
    if name == "secateurs":
        check_options(rest)
    elif name == "pip":
        for extra in re.findall(r"\[([\w,-]+)\]", " ".join(rest)):
            assert set(extra.split(",")) <= set(PYPROJECT["project"]["optional-dependencies"]), extra
        if "--group" in rest:
            assert rest[rest.index("--group") + 1] in PYPROJECT["dependency-groups"]
    elif name in ("python", "python3", "pytest", ".ci/run", "."):
        for word in [name, *rest] if "/" in name else rest:
            if "/" in word and "DEV_FOLDER" not in word and ".venv" not in word:
                assert (ROOT / word).exists(), word
    elif name == "serve":
        assert find_spec(rest[1].partition(":")[0])
    else:
        assert name in ("ruff", "lint-imports", "mypy", "curl", "git") or shutil.which(name), (name, page)


def check_options(words: list[str]) -> None:
    """Check that a command of ours has the options that it is given."""
    cli._register(words)
    command = typer.main.get_command(cli.app)
    for word in [one for one in words if not one.startswith("-")]:
        named = getattr(command, "commands", {}).get(word)
        if named is None:
            break
        command = named
    for group in (command, getattr(command, "commands", {}).get("labelled")):
        if group is not None:
            taken = {option for param in group.params for option in (*param.opts, *param.secondary_opts)}
    wanted = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert wanted <= taken | {"--help"}, (words, wanted - taken)


def test_no_block_takes_a_number_on_trust():
    """No block of the README sets a threshold: what it loses depends on documents, and the default is measured."""
    for block in blocks(text_of(README), "python", "sh", "json"):
        assert not re.search(r"Threshold\(0?\.\d|threshold[\"']?\s*[=:]\s*0?\.\d|--threshold[ =]0?\.\d", block.code)
    assert not re.search(r"Secateurs(?:Compressor|Postprocessor)\([^)`]*threshold=", text_of(README))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_read_in_minutes(page):
    """A page is small, begins with what it is for, and has an example, where it has one, on its first screen."""
    text = text_of(page)
    assert len(text.encode("utf-8")) <= BYTES.get(page, 8_000)
    assert re.match(r"# .+\n\n", text)


def slugs(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the hosts of repositories make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ".github/CHANGELOG.md", "src/secateurs/models/xsmall/README.md"])
def test_links_lead_somewhere(page):
    """Every relative link of a page names a file of the repository, and a heading that is there."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent.joinpath(path) if path else ROOT / page
        assert found.exists(), target
        assert not anchor or anchor in slugs(found.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES)
def test_files_and_folders_that_a_page_names_are_there(page):
    """A path in backticks is one of the repository, the package or the page's room: no recipe leads nowhere."""
    roots = (ROOT, ROOT / "src/secateurs", (ROOT / page).parent)
    for name in re.findall(r"`((?:\.?\w+/)+[\w.]*|\w+\.py)`", text_of(page)):
        made = name.startswith(("compressed/", "checkpoint/"))  # by the command that stands there
        assert made or any((root / name).exists() for root in roots), name


def test_the_map_has_every_room():
    """Whatever stands directly in the package is in the map's table of rooms."""
    table = text_of(MAP).split("## From a query", 1)[0]
    for path in (ROOT / "src/secateurs").iterdir():
        if path.name[0] not in "_." and path.name not in ("README.md", "py.typed"):
            assert re.search(rf"`{path.stem}(\.py|/)?`", table), path.name


def test_every_room_with_a_door_has_a_page():
    """Who comes for one thing finds its page beside the code, and the README leads there."""
    rooms = "langchain llama_index adapters segment checkpoints evaluate bench serve ray mcp train"
    for room in rooms.split():
        assert f"(src/secateurs/{room}/README.md" in text_of(README), room


def test_the_changes_are_those_of_this_version():
    """The first heading of the list of changes is the version that is installed."""
    assert re.search(r"^## (\S+)", text_of(".github/CHANGELOG.md"), re.M).group(1) == secateurs.__version__

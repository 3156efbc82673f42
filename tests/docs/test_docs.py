"""The README and the docstrings say what is true: every example runs, every output is the real one."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import secateurs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "src/secateurs/README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.M | re.S)
OPTIONAL = ("langchain", "llama_index", "train", "evaluate", "annotate", "serve", "ray", "mcp", "bench", "bulk")


def modules() -> list[str]:
    found = (module.name for module in pkgutil.walk_packages(secateurs.__path__, "secateurs."))
    return ["secateurs", *(name for name in found if name.split(".")[1] not in (*OPTIONAL, "__main__"))]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name):
    """The examples in docstrings give what they say."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def run_block(code: str, namespace: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    """Run a block; what its lines that begin with `# > ` say is what it prints."""
    capsys.readouterr()
    exec(compile(code, "README.md", "exec"), namespace)
    said = re.findall(r"^# > (.*)$", code, re.M)
    assert not said or capsys.readouterr().out.splitlines() == said


def test_no_block_of_the_readme_takes_a_number_on_trust():
    """No block sets a threshold: what one loses depends on the documents, and the default is measured."""
    for kind, code in BLOCKS:
        if kind in ("python", "sh", "json"):
            assert not re.search(r"Threshold\(0?\.\d|threshold[\"']?\s*[=:]\s*0?\.\d|--threshold[ =]0?\.\d", code), (
                code
            )
    assert not re.search(r"Secateurs(?:Compressor|Postprocessor)\([^)`]*threshold=", README)


def test_the_readmes_python_runs(monkeypatch, capsys):
    """Every Python block of the README runs, in order, in one namespace, and prints what it says."""
    monkeypatch.chdir(ROOT)
    namespace: dict[str, object] = {}
    python = [code for kind, code in BLOCKS if kind == "python"]
    assert sum("# > " in code for code in python) >= 3
    for code in python:
        run_block(code, namespace, capsys)


@pytest.mark.parametrize("section", ["In Python", "LangChain", "LlamaIndex"])
def test_a_first_block_stands_alone(section, capsys):
    """Who copies the block of one section only has all it needs."""
    part = README.split(f"\n## {section}\n", 1)[1]
    run_block(re.search(r"^```python\n(.*?)^```", part, re.M | re.S).group(1), {}, capsys)


def test_the_readmes_output_is_the_real_output():
    """The command on the first screen prints exactly what the README shows, to the digit."""
    command = re.search(r"secateurs compress (\"[^\"]+\") (\S+)", README)
    shown = next(code for kind, code in BLOCKS if kind == "text")
    done = subprocess.run(
        [sys.executable, "-m", "secateurs", "compress", command.group(1).strip('"'), command.group(2)],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=True,
    )
    printed = [line.rstrip() for line in done.stdout.decode().rstrip().splitlines()]
    assert printed == [line.rstrip() for line in shown.rstrip().splitlines()]


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_somewhere(page):
    """Every relative link of a page names a file of the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / page).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("page", PAGES[1:])
def test_files_and_folders_that_a_page_names_are_there(page):
    """A path in backticks is one of the repository or of the package, so that no recipe leads nowhere."""
    for name in re.findall(r"`((?:\.?\w+/)+[\w.]*|\w+\.py)`", (ROOT / page).read_text(encoding="utf-8")):
        assert any((root / name).exists() for root in (ROOT, ROOT / "src/secateurs")), name


def test_the_map_has_every_room():
    """Whatever stands directly in the package is in the map's table of rooms."""
    table = (ROOT / "src/secateurs/README.md").read_text(encoding="utf-8").split("## From a query", 1)[0]
    for path in (ROOT / "src/secateurs").iterdir():
        if path.name[0] not in "_." and path.name not in ("README.md", "py.typed"):
            assert re.search(rf"`{path.stem}(\.py|/)?`", table), path.name

"""The pages of the repository: what their blocks print when they are run, and how they look with that written in."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = "README.md"
MAP = "src/secateurs/README.md"
_ROOMS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("src/secateurs/*/README.md"))
_BESIDE = ("tests/reliability/README.md", "notebooks/pipeline/README.md")
PAGES = (README, MAP, ".github/CONTRIBUTING.md", ".github/SECURITY.md", *_BESIDE, *_ROOMS)
LONG = ("src/secateurs/ray/README.md",)  # their Python wants Ray: run under -m slow

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_SAID = re.compile(r"(?:^# >.*\n)+", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what is in it, and where that stands."""

    kind: str
    code: str
    start: int
    end: int


def text_of(page: str) -> str:
    """Return a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, *kinds: str) -> list[Block]:
    """Return the fenced blocks of a page, of these kinds, or all."""
    found = [Block(one[1], one[2], one.start(2), one.end(2)) for one in _BLOCK.finditer(text)]
    return [block for block in found if not kinds or block.kind in kinds]


@contextmanager
def at_root() -> Iterator[None]:
    """Stand where a reader of the README stands, and print as to a pipe of 100 columns."""
    before, columns = Path.cwd(), os.environ.get("COLUMNS")
    os.chdir(ROOT)
    os.environ["COLUMNS"] = "100"
    try:
        yield
    finally:
        os.chdir(before)
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns


def printed(work: Callable[[], object]) -> list[str]:
    """Return the lines that something prints."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)  # our command line writes bytes
    with contextlib.redirect_stdout(out):
        work()
    return [line.rstrip() for line in out.buffer.getvalue().decode("utf-8").rstrip().splitlines()]


def run_python(code: str, namespace: dict[str, object], name: str) -> str:
    """Run a block of Python; return it with what it prints behind `# > `.

    Args:
        code: The block. What it prints stands where its `# > ` lines do, if these stand together, or else at its end.
        namespace: What the blocks before it have defined.
        name: The page, for tracebacks.

    Returns:
        The block as it should be.
    """
    lines = printed(lambda: exec(compile(code, name, "exec"), namespace))
    said = "".join(f"# > {line}".rstrip() + "\n" for line in lines)
    groups = _SAID.findall(code)
    return code.replace(groups[0], said, 1) if len(groups) == 1 else _SAID.sub("", code) + said


def run_command(command: str) -> list[str]:
    """Return what a command of ours prints, run in this process; its exit code must be 0."""
    from secateurs.cli import main

    code: list[object] = []

    def run() -> None:
        try:
            main(shlex.split(command)[1:])
        except SystemExit as ended:
            code.append(ended.code or 0)

    lines = printed(run)
    assert code == [0], command
    return lines


def run_console(code: str) -> str:
    """Return a session with what its commands, those behind `$ `, print now."""
    commands = [line[2:] for line in code.splitlines() if line.startswith("$ ")]
    return "".join("\n".join((f"$ {command}", *run_command(command))) + "\n" for command in commands)


def refreshed(page: str) -> str:
    """Run the blocks of a page, in order and in one namespace, and return the page with what they print.

    `python` blocks print behind `# > `; a `console` block has commands behind `$ ` and what they print; a `text`
    block is what the command of the `sh` block before it prints.
    """
    text, namespace, at, parts, command = text_of(page), {}, 0, [], ""
    with at_root():
        for block in blocks(text):
            code = block.code
            if block.kind == "python" and page not in LONG:
                code = run_python(code, namespace, page)
            elif block.kind == "console":
                code = run_console(code)
            elif block.kind == "text" and command:
                code = "\n".join(run_command(command)) + "\n"
            found = re.search(r"secateurs compress .*", code) if block.kind == "sh" else None
            command = found.group() if found else ""
            parts += [text[at : block.start], code]
            at = block.end
    return "".join((*parts, text[at:]))

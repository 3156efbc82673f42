"""The command line. Exit codes: 0 done, 1 a document came back as an error, 2 wrong use or bad input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from secateurs.cli import models as cli_models
from secateurs.errors import Error
from secateurs.result.compression import Compression
from secateurs.result.hidden import printable
from secateurs.result.savings import Savings
from secateurs.support.arguments import check_elision
from secateurs.support.encodings import NotTextError, decode
from secateurs.support.files import write_text

app = typer.Typer(
    name="secateurs",
    help="Cut retrieved documents down to the sentences that answer a query.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


# Commands whose rooms are imported only when they are called: name, and what the list of commands says of it.
_ROOMS = {
    "serve": "Serve compression over HTTP, with a page to try it on.",
    "mcp": "Serve compression to agents over the Model Context Protocol.",
    "bulk": "Compress a corpus with Ray; resumable.",
    "evaluate": "Measure on labelled data, and on tool output.",
    "train": "Train a pruner.",
    "annotate": "Label records with an LLM that reasons first.",
    "bench": "Time the parts of a compression on this machine.",
}


app.add_typer(cli_models.app, name="models")


class BadInputError(Exception):
    """What the user gave cannot be used; the message says what and how to fix it."""


class Format(StrEnum):
    """Output formats."""

    text = "text"
    json = "json"
    html = "html"


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from secateurs import __version__

        typer.echo(f"secateurs {__version__}")
        raise typer.Exit


@app.command()
def compress(  # noqa: PLR0913 - a command's options are its interface
    query: Annotated[str, typer.Argument(help="What the documents were retrieved for.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...", help="Text files: UTF-8, or UTF-16/32 with a BOM; - or none reads stdin."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    threshold: Annotated[float | None, typer.Option(help="Keep sentences with at least this score, 0 to 1.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Keep at most this many sentences a document.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Keep at most this many LLM tokens a document.")] = None,
    elision: Annotated[str | None, typer.Option(help="Stands where something was cut, such as […].")] = None,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    format: Annotated[
        Format, typer.Option(help="text for people, json for programs, html for a page.")
    ] = Format.text,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Compress documents: keep the sentences that matter for QUERY, and say what that saves."""
    from secateurs.checkpoints import BUNDLED
    from secateurs.compressor import Compressor
    from secateurs.policy import Threshold, combine

    if not query.strip():
        raise BadInputError("the query is blank: pass the user's question as the first argument")
    combine(threshold=threshold, top_k=top_k, max_tokens=max_tokens, default=Threshold(0.0))  # before the model loads
    check_elision(elision)
    _check_output(output)
    sources = files or ["-"]
    documents = [_read(source) for source in sources]
    with _waiting("loading the model"):
        compressor = Compressor.from_pretrained(model, device=device, encoding=encoding)
    policy = combine(threshold=threshold, top_k=top_k, max_tokens=max_tokens, default=compressor.policy)
    with _waiting("compressing"):
        results = compressor.compress(query, documents, policy=policy, elision=elision)
    total = sum((result.savings for result in results), Savings(0, 0, encoding))
    items = list(zip(sources, results, strict=True))
    if format is Format.text:
        _show(items, total, f"{model or BUNDLED}, {policy!r}", output)
    else:
        shape = _json if format is Format.json else _html
        _write(shape(query, model or BUNDLED, items, total), output)
    failed = [source for source, result in items if result.status == "error"]
    for source, result in items:
        if result.status == "error":
            _complain(f"{source} is returned whole: {result.reason}")
    if failed:
        raise typer.Exit(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; the user never sees a traceback (set SECATEURS_DEBUG=1 for one)."""
    import logging

    # documents that failed are reported on stderr by the command itself; what a checkpoint's licence says is logged
    logging.getLogger("secateurs").addHandler(logging.NullHandler())
    said = logging.StreamHandler()
    said.setFormatter(logging.Formatter("secateurs: %(message)s"))
    logging.getLogger("secateurs.checkpoints").handlers[:] = [said]
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _register(words)
        code = app(words, standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at exit
        code = 0
    except Exception as error:
        if os.environ.get("SECATEURS_DEBUG"):
            raise
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def run() -> None:
    """Do what `main` does, as a process of its own: what the `secateurs` script and `python -m secateurs` call."""
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        if sys.argv[1:2] != ["compress"]:
            sys.exit(code)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # everything is written; taking torch apart would take another half second


def _register(words: Sequence[str]) -> None:
    """Make the rooms' commands known: the one that is called in full, the others by name only."""
    called = next((word for word in words if not word.startswith("-")), None)
    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    for name, says in _ROOMS.items():
        if name == called:
            room = import_module(f"secateurs.{name}.command")
            app.registered_commands = [command for command in app.registered_commands if command.name != name]
            app.registered_groups = [group for group in app.registered_groups if group.name != name]
            if hasattr(room, "app"):  # a room with several commands
                app.add_typer(room.app, name=name, help=says)
            else:
                app.command(name)(getattr(room, name))
        elif name not in known:
            app.command(name, help=says)(_not_imported)


def _not_imported() -> None:
    """Stand for a command in the list of commands."""


def _explain(error: Exception) -> int:
    """Say in one line what is wrong, and return the exit code."""
    if hasattr(error, "format_message"):  # wrong use, found by the option parser
        _complain(f"{error.format_message()} See: secateurs --help")
    elif isinstance(error, (BadInputError, Error, ValueError, TypeError, OSError)):
        _complain(str(error))
    elif type(error).__name__ == "Abort":
        return 130
    else:
        _complain(f"unexpected {type(error).__name__}: {error}. Run again with SECATEURS_DEBUG=1 for details.")
    return 2


def _complain(message: str) -> None:
    line = printable(" ".join(message.split()))  # a file's name, too, could drive a terminal
    print(f"secateurs: {line}", file=sys.stderr)


def _read(source: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except FileNotFoundError:
        raise BadInputError(f"no such file: {source}") from None
    except IsADirectoryError:
        raise BadInputError(f"{source} is a directory: name the files in it, for example {source}/*.txt") from None
    except OSError as error:
        raise BadInputError(f"cannot read {source}: {error.strerror or error}") from None
    name = "standard input" if source == "-" else source
    if not raw:
        raise BadInputError(f"{name} is empty: there is nothing to compress")
    try:
        return decode(raw)
    except NotTextError as error:
        raise BadInputError(f"{name} is {error}. {error.advice(source)}") from None


def _check_output(output: Path | None) -> None:
    if output is None:
        return
    if output.is_dir():
        raise BadInputError(f"--output {output} is a directory: name a file")
    if not output.parent.is_dir():
        raise BadInputError(f"--output {output}: there is no folder {output.parent}")


def _write(text: str, output: Path | None) -> None:
    if output is not None:
        write_text(output, text)
        return
    data = text.encode("utf-8", "replace")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _waiting(what: str) -> AbstractContextManager[Any]:
    console = Console(stderr=True)
    return console.status(f"{what} ...") if console.is_terminal else nullcontext()


def _show(items: Sequence[tuple[str, Compression]], total: Savings, how: str, output: Path | None) -> None:
    """Print results for people: in colours on a terminal, plain anywhere else."""
    from secateurs.cli.terminal import print_results

    if output is None and sys.stdout.isatty():
        print_results(Console(highlight=False), items, total, how)
        return
    buffer = StringIO()
    print_results(Console(file=buffer, highlight=False, width=100), items, total, how)
    _write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()), output)


def _json(query: str, model: str, items: Sequence[tuple[str, Compression]], total: Savings) -> str:
    documents = [{"source": source, **result.to_dict()} for source, result in items]
    answer = {"query": query, "model": model, "documents": documents, "savings": total.to_dict()}
    return json.dumps(answer, ensure_ascii=False, indent=2) + "\n"


def _html(query: str, model: str, items: Sequence[tuple[str, Compression]], total: Savings) -> str:
    from secateurs.serve.page import to_page

    return to_page(query, items, total, model=model)

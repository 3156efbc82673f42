"""The command line. Exit codes: 0 done, 1 a document came back as an error, 2 wrong use or bad input.

Interrupted (SIGINT, Ctrl-C), a command ends with 130; `serve` lets what is under way finish, and ends with 0. Where
the parent process ignores SIGINT (nohup, cron, a job in the background of a script), commands that work ignore it,
too, as it is meant; servers end on it all the same, since whoever sends it to one means it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from secateurs.cli import models as cli_models
from secateurs.cli.check import check
from secateurs.cli.compress import compress
from secateurs.cli.problems import BadInputError, complain
from secateurs.errors import Error

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
    "evaluate": "Measure on labelled data, answers, and tool output.",
    "train": "Train a pruner.",
    "annotate": "Label records with an LLM that reasons first.",
    "bench": "Time the parts of a compression on this machine.",
}


app.add_typer(cli_models.app, name="models")
app.command(short_help="Cut documents down to what matters for a query.")(compress)
app.command(short_help="Say whether a checkpoint works on this machine.")(check)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from secateurs import __version__

        typer.echo(f"secateurs {__version__}")
        raise typer.Exit


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
        complain(f"{error.format_message()} See: {_help_of(error)}")
    elif isinstance(error, (BadInputError, Error, ValueError, TypeError, OSError)):
        complain(str(error))
    elif type(error).__name__ == "Abort":
        return 130
    else:
        complain(f"unexpected {type(error).__name__}: {error}. Run again with SECATEURS_DEBUG=1 for details.")
    return 2


def _help_of(error: Exception) -> str:
    """Return the command that explains what was used wrongly: the subcommand's own help has its options."""
    words: list[str] = []
    context = getattr(error, "ctx", None)
    while context is not None and context.parent is not None:  # the first one's name is how Python was started
        words.insert(0, context.info_name)
        context = context.parent
    return " ".join(("secateurs", *words, "--help"))

"""`secateurs compress`: documents from files or standard input, cut down to what answers a query."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from secateurs.adapters.options import BUDGET, CHOICE, ORDER, Revision, Wanted, options
from secateurs.adapters.order import in_order, lacks_ranking, spared
from secateurs.cli.problems import BadInputError, complain
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings
from secateurs.support.encodings import NotTextError, decode
from secateurs.support.files import write_text
from secateurs.support.paths import is_folder


class Format(StrEnum):
    """Output formats."""

    text = "text"
    json = "json"
    html = "html"


@dataclass(frozen=True)
class Shown:
    """What a call came to, as it is shown.

    Attributes:
        query: The query.
        model: The checkpoint's name, as it was asked for.
        items: The source of each document, as a name, and its result, in the order they come back.
        left_out: The sources of those that `--top-n` left out.
        total: The savings of all, those left out counted as saved whole.
    """

    query: str
    model: str
    items: Sequence[tuple[str, Compression]]
    left_out: Sequence[str]
    total: Savings


@options(CHOICE, BUDGET, ORDER)
def compress(  # noqa: PLR0913 - a command's options are its interface
    query: Annotated[str, typer.Argument(help="What the documents were retrieved for.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...", help="Text files: UTF-8, or UTF-16/32 with a BOM; - or none reads stdin."
        ),
    ] = None,
    *,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    wanted: Wanted,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    format: Annotated[
        Format, typer.Option(help="text for people, json for programs, html for a page.")
    ] = Format.text,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Compress documents: keep the units that matter for QUERY, and say what that saves.

    A kept unit brings what it needs where it stands (the headings above it, a table's header, the list items it is
    under). The map, src/secateurs/README.md: "What stays, and why".
    """
    from secateurs.checkpoints import BUNDLED
    from secateurs.compressor import Compressor

    if not query.strip():
        raise BadInputError("the query is blank: pass the user's question as the first argument")
    settings = wanted.settings(encoding=encoding, device=device)  # what is wrong is told before the model loads
    _check_output(output)
    sources = files or ["-"]
    if sources.count("-") > 1:
        raise BadInputError("standard input can be read once: name - once")
    documents = [_read(source) for source in sources]
    with _waiting("loading the model"):
        compressor = Compressor.from_pretrained(model, revision=revision, device=device, encoding=encoding)
    policy = settings.choice(compressor.policy)
    with _waiting("compressing"):
        results = compressor.compress(query, documents, policy=policy, **settings.call_options())
    shown = _shown(query, model or BUNDLED, list(zip(sources, results, strict=True)), wanted)
    if format is Format.text:
        budget = "" if wanted.max_total_tokens is None else f", max_total_tokens={wanted.max_total_tokens}"
        copies = ", distinct" if wanted.distinct else ""
        _show(shown, f"{shown.model}, {policy!r}{copies}{budget}", output)
    else:
        shape = _json if format is Format.json else _html
        _write(shape(shown), output)
    failed = [(source, one.reason) for source, one in zip(sources, results, strict=True) if one.status == "error"]
    for source, reason in failed:
        complain(f"{source} is returned whole: {reason}")
    if failed:
        raise typer.Exit(1)


def _shown(query: str, model: str, items: Sequence[tuple[str, Compression]], wanted: Wanted) -> Shown:
    """Return what is shown: in order, what was dropped behind the others, what `--top-n` leaves out by name."""
    results = [result for _, result in items]
    if wanted.rerank and lacks_ranking(results):
        complain(f"--rerank moved and cut nothing: {model} has no ranking head")
    back = in_order(results, rerank=wanted.rerank, top_n=wanted.top_n)
    order = [one.index for one in back]
    rest = [index for index in range(len(items)) if index not in set(order)]
    dropped = [index for index in rest if results[index].status == "dropped"]
    out = set(rest) - set(dropped)
    places = [*order, *dropped] if wanted.rerank else range(len(items))
    return Shown(
        query=query,
        model=model,
        items=[items[index] for index in places],
        left_out=[items[index][0] for index in sorted(out)],
        total=spared(results, back, results[0].savings.encoding),
    )


def _read(source: str) -> str:
    if source == "-" and sys.stdin.isatty():
        complain("reading the document from the terminal: end it with Ctrl-D on a line of its own (Windows: Ctrl-Z)")
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
    if is_folder(output):
        raise BadInputError(f"--output {output} is a directory: name a file")
    if not is_folder(output.parent):
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


def _show(shown: Shown, how: str, output: Path | None) -> None:
    """Print results for people: in colours on a terminal, plain anywhere else."""
    from secateurs.cli.terminal import print_results

    if output is None and sys.stdout.isatty():
        print_results(Console(highlight=False), shown.items, shown.total, how, shown.left_out)
        return
    buffer = StringIO()
    plain = Console(file=buffer, highlight=False, width=100)
    print_results(plain, shown.items, shown.total, how, shown.left_out)
    _write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()), output)


def _json(shown: Shown) -> str:
    documents = [{"source": source, **result.to_dict()} for source, result in shown.items]
    answer = {"query": shown.query, "model": shown.model, "documents": documents, "savings": shown.total.to_dict()}
    if shown.left_out:
        answer["left_out"] = list(shown.left_out)
    return json.dumps(answer, ensure_ascii=False, indent=2) + "\n"


def _html(shown: Shown) -> str:
    from secateurs.serve.page import to_page

    return to_page(shown.query, shown.items, shown.total, model=shown.model)

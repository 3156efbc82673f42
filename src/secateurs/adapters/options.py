"""The adapters' fields as options of a command: said once, for every command that compresses.

    @options(ORDER)
    def compress(query: str, *, wanted: Wanted) -> None: ...

has `--policy --threshold --top-k ...` beside its own arguments, and is given what they say as one `Wanted`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from secateurs.adapters.choice import Asked
from secateurs.adapters.settings import Settings


class WhenEmpty(StrEnum):
    """What to do with a document in which nothing passes."""

    drop = "drop"
    best = "best"
    original = "original"


def read_neighbours(value: str | None) -> int | tuple[int, int] | None:
    """Return how many neighbours a text asks for: `1`, or `2,1` for before and after.

    Raises:
        ValueError: It is neither.

    Example:
        >>> read_neighbours("1"), read_neighbours("2,1")
        (1, (2, 1))
    """
    if value is None:
        return None
    numbers = value.split(",")
    if len(numbers) > 2 or not all(one.strip().isdecimal() and len(one) < 20 for one in numbers):
        raise ValueError(f"neighbours must be a number, or two as in 2,1 for before and after; got {value!r}")
    return int(value) if len(numbers) == 1 else (int(numbers[0]), int(numbers[1]))


Revision = Annotated[
    str | None, typer.Option(help="Branch, tag or commit of the model on the hub; a commit pins what is loaded.")
]
"""Which state of the model, for commands that load one."""

CHOICE: dict[str, Any] = {
    "policy": Annotated[
        str | None, typer.Option(help="Which units stay, such as 'Default() & TopK(3)'. [default: the checkpoint's]")
    ],
    "threshold": Annotated[float | None, typer.Option(help="Keep units with at least this score, 0 to 1.")],
    "top_k": Annotated[int | None, typer.Option(help="Keep at most this many units a document.")],
    "max_tokens": Annotated[int | None, typer.Option(help="Keep at most this many LLM tokens a document.")],
    "when_empty": Annotated[
        WhenEmpty | None,
        typer.Option(help="Where nothing passes: drop the document, keep its best unit, or the original."),
    ],
    "neighbours": Annotated[
        str | None,
        typer.Option(metavar="N[,M]", help="Keep also N units before and after each kept one; N before, M after."),
    ],
    "elision": Annotated[str | None, typer.Option(help="Stands where something was cut, such as […].")],
}
"""What says which units of a document stay, and what stands for the others."""

BUDGET: dict[str, Any] = {
    "max_total_tokens": Annotated[
        int | None,
        typer.Option(help="Keep at most this many LLM tokens of all documents of a query together, the best units."),
    ],
    "distinct": Annotated[
        bool,
        typer.Option("--distinct", help="Leave out of a document what a better one of the query says already."),
    ],
}
"""What says how much the documents of one query may cost together, and that nothing is paid twice."""

ORDER: dict[str, Any] = {
    "rerank": Annotated[bool, typer.Option("--rerank", help="Order documents by falling ranking score.")],
    "top_n": Annotated[int | None, typer.Option(help="With --rerank, return the first so many.")],
}
"""What says which documents come back, and in which order."""


@dataclass(kw_only=True)
class Wanted(Asked):
    """What the options say, checked: they are the fields of the adapters, which `DocumentFields` explains.

    Raises:
        ValueError: An option is out of range, or two contradict each other.
    """

    max_total_tokens: int | None = None
    elision: str | None = None
    rerank: bool = False
    top_n: int | None = None
    distinct: bool = False

    def __post_init__(self) -> None:
        self.settings()

    def settings(self, **others: Any) -> Settings:
        """Return the settings of an adapter that has these fields.

        Args:
            **others: Its other fields.
        """
        return Settings(**vars(self), **others)


def options(*groups: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command options; the command takes them as its argument `wanted`.

    Args:
        *groups: Which, by the names of the adapters' fields.
    """

    def add(command: Callable[..., None]) -> Callable[..., None]:
        shown = {name: hint for group in groups for name, hint in group.items()}
        hints = {**get_type_hints(command, include_extras=True), **shown}
        del hints["wanted"]

        @wraps(command)
        def run(**arguments: Any) -> None:
            given = {name: arguments.pop(name) for name in shown}
            for name, read in (("neighbours", read_neighbours), ("when_empty", _plain)):
                if name in given:
                    given[name] = read(given[name])
            command(wanted=Wanted(**given), **arguments)

        run.__dict__.pop("__wrapped__")  # whose signature would be read in place of this one
        run.__annotations__ = hints
        run.__signature__ = _signature(command, shown, hints)  # type: ignore[attr-defined]  # functions may have one
        return run

    return add


def _plain(value: WhenEmpty | None) -> str | None:
    return None if value is None else value.value


def _signature(command: Callable[..., None], shown: dict[str, Any], hints: dict[str, Any]) -> inspect.Signature:
    """Return a command's signature with the options in the place of `wanted`."""
    parameters: list[inspect.Parameter] = []
    for one in inspect.signature(command).parameters.values():
        if one.name != "wanted":
            parameters.append(one.replace(annotation=hints[one.name]))  # the type, no text that names it
            continue
        for name, hint in shown.items():
            default = False if name in ("rerank", "distinct") else None
            parameters.append(inspect.Parameter(name, one.KEYWORD_ONLY, default=default, annotation=hint))
    return inspect.Signature(parameters, return_annotation=None)

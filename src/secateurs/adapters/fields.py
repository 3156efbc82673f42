"""The fields of the adapters: spelled out here, once, each with what it means.

What stands under a field is what an IDE shows; `help()`, JSON schemas and LangChain's configurable fields are given
the same text, so that there is no other. LangChain's compressor and LlamaIndex's postprocessor have `DocumentFields`
as pydantic fields (model.py), the middleware inherits `AgentFields`, LlamaIndex's tools take them as keywords.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from itertools import pairwise
from textwrap import dedent, fill
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from secateurs.adapters.protocol import CompressorLike
from secateurs.adapters.report import Report
from secateurs.policy import Policy, WhenEmpty
from secateurs.support.hints import no_such

OnError = Literal["keep", "raise"]
OnReport = Callable[[Report], object]

DEFAULT_ENCODING = "o200k_base"

P = ParamSpec("P")
Given = TypeVar("Given")
Made = TypeVar("Made")
Thing = TypeVar("Thing", bound=Callable[..., Any])


@dataclass(kw_only=True)
class AgentFields:
    """The fields every adapter has."""

    compressor: CompressorLike | None = None
    """A compressor to use; None to make one from `model`, `revision`, `device` and
    `encoding` on first use."""

    model: str | None = None
    """Hub id or folder; None for the bundled model."""

    revision: str | None = None
    """Branch, tag or commit of `model` on the hub; a commit pins what is loaded."""

    device: str = "auto"
    """`"auto"`, `"cpu"`, `"mps"`, `"cuda"` or `"cuda:N"`."""

    policy: Policy | str | None = None
    """Which sentences stay, as a policy or its source, such as `"Default() | TopK(1)"`; `Default()` in it is the
    compressor's own. None for that, and of a tool's output for `ToolOutput()`. The fields below narrow it."""

    threshold: float | None = None
    """Keep sentences with at least this probability; None for what the policy says."""

    top_k: int | None = None
    """Keep at most this many sentences a document."""

    max_tokens: int | None = None
    """Keep at most this many LLM tokens a document."""

    max_total_tokens: int | None = None
    """Keep at most this many LLM tokens of all documents of a call together: the best sentences, whichever document
    they are of, with the headings they bring. Texts that cannot be cut (blank ones, failed ones) are paid first."""

    elision: str | None = None
    """What stands where something was cut, such as `"[…]"`; None for the compressor's own, mostly nothing. Its tokens
    are counted, and come out of a budget."""

    when_empty: WhenEmpty | None = None
    """What to do where nothing passes: `"drop"` the document, keep its `"best"` sentence or the `"original"`; None
    for what the policy says. Of a tool's output None keeps a short one whole and the best lines of a longer one, and
    `"drop"` leaves a note in its place."""

    neighbours: int | Sequence[int] | None = None
    """Keep also so many sentences before and after each kept one; two numbers for before and after."""

    timeout: float | None = None
    """Seconds a call may take, the loading of the weights at the first not counted; None for as long as it takes. A
    call that takes longer has failed."""

    on_error: OnError = "keep"
    """`"keep"` returns the input if compression fails; `"raise"` raises, also for a single document. In either case
    first use raises where a checkpoint cannot be loaded, or a device is not there; `check()` tells before."""

    encoding: str = DEFAULT_ENCODING
    """The tiktoken encoding in which savings are counted. Beside a `compressor` it is that one's own: the default
    gives way to it, anything else that differs is a ValueError."""

    on_report: OnReport | None = None
    """Called once a call with the `Report`; what it raises is logged."""


@dataclass(kw_only=True)
class DocumentFields(AgentFields):
    """The fields of an adapter that returns documents."""

    rerank: bool = False
    """Return documents by falling ranking score. Those that scored the same, and behind the scored ones those without
    a ranking score (blank, failed, nothing to compress), stay as they came. Where no document has one, the checkpoint
    having no ranking head, nothing is moved or cut, which is logged once."""

    top_n: int | None = None
    """With `rerank`, return the first so many documents of that order; what it leaves out counts as dropped, and as
    wholly saved."""

    distinct: bool = False
    """Leave out of each document what a kept sentence of a better one says, verbatim or nearly, so that chunks that
    overlap and mirrored pages are paid once; better are those that come first, with `rerank` those that rank higher.
    A document that says nothing new is dropped. Chunks of one source are told by their place (`start_index` of
    LangChain's splitters, `start_char_idx` of LlamaIndex's) where they have one."""


def described(kind: type) -> dict[str, str]:
    """Return what stands under the fields of a class of ours and of those it is made of, on one line each.

    Example:
        >>> described(DocumentFields)["top_k"]
        'Keep at most this many sentences a document.'
    """
    ours = (base for base in reversed(kind.__mro__) if base.__module__.startswith("secateurs."))
    return {name: text for base in ours for name, text in _texts(base).items()}


@cache
def _texts(kind: type) -> dict[str, str]:
    """Return what stands under the fields of one class: strings that Python reads and throws away."""
    try:
        [body] = ast.parse(dedent(inspect.getsource(kind))).body
    except OSError:  # installed without its source
        return {}
    found = {}
    for field, text in pairwise(getattr(body, "body", ())):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = " ".join(said.split())
    return found


def documented(fields: type) -> Callable[[Thing], Thing]:
    """Return a decorator that adds the fields to what `help()` says of a class or function."""

    def add(thing: Thing) -> Thing:
        if thing.__doc__ is not None:  # python -OO has none
            lines = [
                fill(f"{name}: {text}", 110, initial_indent="    ", subsequent_indent=" " * 8)
                for name, text in described(fields).items()
            ]
            thing.__doc__ = "\n".join([inspect.cleandoc(thing.__doc__), "", "Fields:", *lines, ""])
        return thing

    return add


def hinting(name: str) -> Callable[[type[Given]], type[Given]]:
    """Return a decorator that lets a dataclass say, of a keyword that is no field, which was probably meant.

    Args:
        name: What people call that takes the fields.

    Example:
        >>> @hinting("cut")
        ... @dataclass(kw_only=True)
        ... class Cut(DocumentFields):
        ...     pass
        >>> Cut(treshold=0.3)
        Traceback (most recent call last):
        TypeError: cut has no field 'treshold': did you mean 'threshold'?
    """

    def change(kind: type[Given]) -> type[Given]:
        made: Any = kind.__init__
        known = list(inspect.signature(kind).parameters)

        @wraps(made)
        def __init__(self: Given, *arguments: Any, **keywords: Any) -> None:  # noqa: N807 - it takes that one's place
            unknown = [one for one in keywords if one not in known]
            if unknown:
                raise TypeError(no_such(name, unknown, known))
            made(self, *arguments, **keywords)

        kind.__init__ = __init__  # type: ignore[assignment,method-assign]  # of the same signature
        return kind

    return change


def takes(
    fields: Callable[P, object],
) -> Callable[[Callable[Concatenate[Given, ...], Made]], Callable[Concatenate[Given, P], Made]]:
    """Return a decorator of a function that takes a first argument, and the fields of a class as keywords.

    Args:
        fields: The class.

    Returns:
        A decorator. IDEs, type checkers and `help()` show each of the keywords.
    """

    def sign(function: Callable[Concatenate[Given, ...], Made]) -> Callable[Concatenate[Given, P], Made]:
        first, *_ = inspect.signature(function).parameters.values()
        keywords = inspect.signature(fields).parameters.values()
        signed: Any = documented(cast("type", fields))(function)
        signed.__signature__ = inspect.signature(function).replace(parameters=[first, *keywords])
        return signed  # type: ignore[no-any-return]  # the same function; its keywords are those of the class

    return sign

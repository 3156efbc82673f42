"""`secateurs serve`: the service from the command line; loads nothing heavy before it is called."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer

from secateurs.adapters.choice import choose
from secateurs.adapters.options import BUDGET, CHOICE, ORDER, Revision, Wanted, options
from secateurs.adapters.originals import MAX_BYTES
from secateurs.policy import Default

_M_ARENA_MAX = -8  # in glibc's malloc.h


@options(CHOICE, BUDGET, ORDER)
def serve(  # noqa: PLR0913 - a command's options are its interface
    *,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.")] = 8080,
    wanted: Wanted,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding where a request does not say.")] = "o200k_base",
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SECATEURS_API_KEY", help="What callers must send; others see it on the command line."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds a request may take.")] = 60.0,
    max_waiting: Annotated[int, typer.Option(help="Requests that may wait; more are refused with 429.")] = 64,
    max_body: Annotated[int, typer.Option(help="Bytes of a request.")] = 8 * 2**20,
    max_documents: Annotated[int, typer.Option(help="Documents of a request.")] = 1_000,
    keep_seconds: Annotated[
        float, typer.Option(help="Seconds for which what was cut out of a conversation can be had back.")
    ] = 900.0,
    max_kept_bytes: Annotated[
        int, typer.Option(help="Memory for that; the longest unused is forgotten.")
    ] = MAX_BYTES,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name, beside localhost, by which callers may call it; others get 421. Repeat for more."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A web origin whose pages may call the service; repeat for more.")
    ] = None,
) -> None:
    """Serve compression over HTTP, with a page to try it on; SIGTERM or Ctrl-C lets it finish what is under way.

    What says which units stay, how a cut is marked, what documents may cost together and in which order they come
    back, is for requests that do not say.
    """
    policy = choose(wanted, Default())
    from secateurs.serve.app import create_app  # first: without the extra, this is what says so
    from secateurs.serve.server import listen, make_server
    from secateurs.serve.settings import ServiceSettings

    settings = ServiceSettings(
        hosts=tuple(allow_host) if allow_host else None,
        api_key=api_key,
        timeout=timeout,
        max_waiting=max_waiting,
        max_body=max_body,
        max_documents=max_documents,
        keep_seconds=keep_seconds,
        max_kept_bytes=max_kept_bytes,
        allow_origins=tuple(allow_origin or ()),
        max_total_tokens=wanted.max_total_tokens,
        rerank=wanted.rerank,
        top_n=wanted.top_n,
        distinct=wanted.distinct,
    )
    with listen(host, port) as bound:  # a port that is taken is found before a model is loaded
        settings = replace(settings, hosts=_names(host, bound.getsockname()[0], settings.hosts))
        _bound_memory()
        from secateurs.compressor import Compressor

        with Compressor.from_pretrained(
            model,
            revision=revision,
            device=device,
            policy=policy,
            encoding=encoding,
            elision=wanted.elision,
            mapped=False,
        ) as compressor:
            warn_if_open(bound.getsockname()[0], api_key)
            app = create_app(compressor, settings)
            asyncio.run(app.state.service.probe())  # a model that does not work is an error here, not later
            _log_to_stderr()
            make_server(app).run(sockets=[bound])


def _names(host: str, address: str, allowed: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the names by which the service may be called: any, unless it is on loopback or some were told.

    On loopback nobody asks for a key, and the only stranger who gets there is a page in a browser of this machine.
    """
    if allowed is None and not _is_loopback(address):
        return None
    return (*(allowed or ()), *(() if ":" in host else (host,)))


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def warn_if_open(address: str, api_key: str | None) -> None:
    """Say so on stderr where anybody on a network may use the service."""
    if api_key is None and not _is_loopback(address):
        print(
            f"secateurs: no API key is set: whoever reaches {address} can use this service. Set SECATEURS_API_KEY, "
            "or listen on 127.0.0.1 behind a proxy that knows its callers.",
            file=sys.stderr,
        )


def _bound_memory() -> None:
    """Let torch's matrix products forget, and threads share their memory; to be called before torch is imported.

    For every number of tokens it has seen, oneDNN keeps what it compiled, and torch keeps that again: a thousand
    times a third of a megabyte, in a process that meets requests of every length. They serve the layers of one
    forward pass, for which a few are enough. glibc keeps memory for each of up to eight threads a core, each as large
    as the largest request it met; two such arenas do.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has no such setting
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, "16")


def _log_to_stderr() -> None:
    """Let what goes wrong be seen: the answers tell callers only that it did."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for room in ("serve", "compressor", "remote"):
        logging.getLogger(f"secateurs.{room}").addHandler(handler)

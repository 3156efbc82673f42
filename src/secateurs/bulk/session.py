"""Where Ray runs: in this process already, on a cluster, or on this machine alone for as long as the command does."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import ray
import ray.data  # sets up its logging when it is imported
from ray.exceptions import RayError

from secateurs.errors import DeviceError, Error

_HERE = "local"  # as Ray calls it
_TERMINATED = 128 + signal.SIGTERM  # the exit code by which a shell knows what ended a program
_VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


class SessionError(Error):
    """Ray cannot be started or reached."""


@contextmanager
def session(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """Have Ray: the one that is running in this process, the cluster at an address, or this machine alone.

    A cluster of our own listens on the loopback device only, and reports to nobody. Ray's own notes are kept off the
    screen unless SECATEURS_DEBUG is set; all but one line of its core, which it writes past Python. SIGTERM ends a
    Ray of our own, and then the process with exit code 143.

    Args:
        address: Of a running cluster; None for `RAY_ADDRESS`, or this machine.
        cpus: Cores to count on on this machine; None for all.
    """
    if ray.is_initialized():
        yield
        return
    there = _where(address)
    alone: dict[str, Any] = {"num_cpus": cpus, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    debug = "SECATEURS_DEBUG" in os.environ
    with _environment(_VARIABLES), nullcontext() if debug else _quiet(), _terminable() as end_at_sigterm:
        try:
            ray.init(
                address=there,
                log_to_driver=debug,
                logging_level=logging.INFO if debug else logging.ERROR,
                **(alone if there == _HERE else {}),
            )
        except SystemExit:  # how Ray's Python answers SIGTERM while it starts, with codes that have a meaning here
            raise SystemExit(_TERMINATED) from None
        except (RayError, ConnectionError, ValueError) as error:
            raise SessionError(f"cannot have Ray at {there!r}: {error}") from None
        try:
            end_at_sigterm()
            yield
        finally:
            ray.shutdown()


def settle_device(device: str, address: str | None = None) -> str:
    """Return the device that `"auto"` stands for: GPUs where Ray has any.

    Raises:
        DeviceError: GPUs are asked for, and this machine has none. A cluster may get some when they are needed.
    """
    gpus = _resources().get("GPU", 0) >= 1
    if device == "cuda" and not gpus and _where(address) == _HERE:
        raise DeviceError("device 'cuda' is not available: Ray finds no GPU on this machine. Use 'auto' or 'cpu'.")
    return device if device != "auto" else "cuda" if gpus else "cpu"


def most_workers(device: str) -> int:
    """Return how many workers fit: one a GPU, or one a core."""
    return max(1, int(_resources().get("GPU" if device == "cuda" else "CPU", 1)))


def _where(address: str | None) -> str:
    return address or os.environ.get("RAY_ADDRESS") or _HERE


def _resources() -> Mapping[str, float]:
    resources: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray leaves it out
    return resources


@contextmanager
def _terminable() -> Iterator[Callable[[], None]]:
    """Let SIGTERM end what runs inside as Ctrl-C does, with exit code 143.

    Ray's core answers SIGTERM with a stack of C and abort(), which leaves no time to stop the workers.

    Yields:
        Callable: Takes the signal over from Ray; to be called when Ray, which sets its own handlers, has started.
    """
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield lambda: None
        return
    told = threading.Event()

    def end(number: int, frame: object) -> None:
        if not told.is_set():  # a second signal does not disturb the end
            told.set()
            raise KeyboardInterrupt  # Ray's waits let nothing else through

    def take_over() -> None:
        signal.signal(signal.SIGTERM, end)

    before = signal.getsignal(signal.SIGTERM)
    try:
        yield take_over
    except KeyboardInterrupt:
        if told.is_set():
            raise SystemExit(_TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for as long as Ray runs; its processes inherit them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's notes on its own doings out of ours."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.data")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)

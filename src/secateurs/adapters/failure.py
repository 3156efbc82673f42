"""What counts as a failure of compression, and how often it is told."""

from __future__ import annotations

import logging
import re
from concurrent.futures import CancelledError as CallCancelledError

from secateurs.errors import CheckpointError, DeviceError, Error, MissingExtraError, in_one_line
from secateurs.support.fork import ForkLock

_FIGURES = re.compile(r"\d[\d.,_]*")
_KINDS = 100  # of failures told; more, and their messages differ by something that is no figure


class FailureLog:
    """Logs what fails in one adapter, a line each: the first time a warning, the same again at level DEBUG.

    A failure that comes with every call would otherwise fill the log. Failures that differ in figures alone (bytes,
    tokens, seconds) are the same. Where it came from, the trace, is told once, at level DEBUG. Safe to use from many
    threads.

    Args:
        log: Where it is told.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: set[str] = set()
        self._lock = ForkLock()

    def warn(self, what: str, error: BaseException) -> None:
        """Log a failure.

        Args:
            what: What failed, and what becomes of it.
            error: Why.
        """
        reason = in_one_line(error)
        kind = _FIGURES.sub("#", f"{what}: {reason}")
        with self._lock:
            first = kind not in self._told and len(self._told) < _KINDS
            if first:
                self._told.add(kind)
        if first:
            self._log.warning("%s: %s (its trace, and the same again, at level DEBUG)", what, reason)
            self._log.debug("%s: where it came from", what, exc_info=error)
        else:
            self._log.debug("%s: %s", what, reason)


def of_configuration(error: BaseException) -> bool:
    """Return whether an error is one of configuration: it comes with every call until somebody changes something."""
    return isinstance(error, (CheckpointError, DeviceError, MissingExtraError))


def as_failure(error: BaseException) -> Exception:
    """Return what went wrong as an Exception; what stops a task or the process is raised again."""
    if isinstance(error, CallCancelledError):
        raise error  # an Exception by its class, but a request to stop
    if isinstance(error, Exception):
        return error
    if type(error).__name__ == "PanicException":  # a panic in a Rust extension, a bug and not a request to stop
        panic = Error(f"a native extension panicked: {error}")
        panic.__cause__ = error
        return panic
    raise error

"""The exceptions of this package.

```
Exception
├── Error                      anything of ours that is not a wrong argument
│   ├── CheckpointError        a checkpoint is missing, incomplete, misshapen or of an unknown layout
│   ├── DeviceError            a device was asked for that this machine does not have
│   └── OverloadedError        more is waiting to be scored than the limit allows
├── ImportError
│   └── MissingExtraError      a feature needs an extra that is not installed (also an Error)
├── ValueError                 a wrong value of an argument
└── TypeError                  a wrong type of an argument
```

Every message has four parts: what is wrong, with the value; what was expected; where; what to do.
"""

from __future__ import annotations

from concurrent.futures import CancelledError as CallCancelledError

_LONGEST_MESSAGE = 1000


class Error(Exception):
    """Base of the errors that are not wrong arguments."""


class CheckpointError(Error):
    """A checkpoint cannot be loaded: files or tensors are missing, extra, misshapen, damaged or unknown.

    Its message quotes what strangers wrote into files. It is always one printable line of bounded length, so that a
    name in a file can neither move a terminal's cursor nor forge a line of a log.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shorten(printable(message), _LONGEST_MESSAGE))


class DeviceError(Error):
    """The requested device is unknown or not available on this machine."""


class OverloadedError(Error):
    """More encoder tokens are waiting to be scored than the limit allows; try again later."""


class MissingExtraError(Error, ImportError):
    """A feature was used whose optional dependencies are not installed.

    Args:
        feature: What the caller wanted to use, as a noun.
        extra: The extra of this distribution that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed. Install them with: pip install 'secateurs[{extra}]'"
        )
        self.extra = extra


def printable(text: str) -> str:
    r"""Return a text with what does not print (control characters, line ends, lone surrogates) written as escapes.

    Example:
        >>> print(printable("a\x1b[2Jb"))
        a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def shorten(text: str, most: int) -> str:
    """Return a text of at most `most` characters; a longer one keeps its beginning and its end.

    Example:
        >>> shorten("a message of some length", 16)
        'a messag ... gth'
    """
    tail = most // 4 - 1
    return text if len(text) <= most else f"{text[: most - tail - 5]} ... {text[-tail:]}"


def beginning(text: str, most: int = 40) -> str:
    """Return how a text begins, quoted as Python writes it, for a line that is about it.

    Example:
        >>> beginning("Ann built it in 1842, and it burned down twice.")
        "'Ann built it in 1842, and it burned down…'"
    """
    return repr(text if len(text) <= most else f"{text[:most].rstrip()}…")


def own_failure(error: BaseException) -> BaseException:
    """Return an error that may be kept to one document; raise again what must always pass.

    Rust libraries (tokenizers, tiktoken, sentencex) report their own bugs as exceptions that are no `Exception`.

    Raises:
        BaseException: The error, if it is an interrupt, an exit or a cancellation.
    """
    from asyncio import CancelledError  # here, because its import brings sockets into the modules that only cut text

    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, CancelledError, CallCancelledError)):
        raise error
    return error


def describe(error: BaseException) -> str:
    """Return an error's type and message; also of one that cannot be written down.

    Example:
        >>> describe(ValueError("no such thing"))
        'ValueError: no such thing'
    """
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be read"
    return f"{type(error).__name__}: {message}"


def in_one_line(error: BaseException) -> str:
    r"""Return an error's type and message as a line of a log: printable, and of bounded length.

    Example:
        >>> in_one_line(ValueError("no such\nthing"))
        'ValueError: no such thing'
    """
    return shorten(printable(" ".join(describe(error).split())), _LONGEST_MESSAGE)


def without_frames(error: BaseException) -> BaseException:
    """Return an error that no longer holds the frames it passed through, nor those of the errors it came from.

    What an error keeps alive is all that stood in these frames: of a failed forward pass, its tensors.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return error


def in_short(value: object) -> str:
    """Return a value as a message shows it: its `repr`, not all of it where that is long.

    Example:
        >>> in_short("a" * 1000)[-25:]
        'aaa... (1,002 characters)'
    """
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length():,} bits"  # Python refuses to write very long ones
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text):,} characters)"

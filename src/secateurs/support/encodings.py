"""Bytes of a file or of standard input -> text, by the mark they begin with; UTF-8 where there is none.

PowerShell's `>`, Notepad and Excel write UTF-16 with such a mark, and some write UTF-8 with one. What has no mark and
is not UTF-8 could be anything: that is said, and never guessed.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

# Longer marks first: that of UTF-32 (little-endian) begins as that of UTF-16 does.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}
# What people pass that is no text, by the bytes it begins with
_KINDS = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive, as .docx, .xlsx and .epub are",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_LOOKED_AT = 4000  # bytes, to see whether every second one is NUL
_CHUNK = 1 << 16  # bytes that are decoded at once


class NotTextError(ValueError):
    """Bytes are not text in an encoding that is known; the message completes "the file is ...".

    Args:
        problem: What is wrong.
        advice: What to do, a sentence without its full stop; `{source}` stands for the file's name.
    """

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self._advice = advice

    def advice(self, source: str) -> str:
        """Return what to do, the file named."""
        return self._advice.replace("{source}", source)


def encoding_of(start: bytes) -> str:
    r"""Return the encoding that the first bytes of a file are marked with; UTF-8 where there is no mark.

    Args:
        start: At least four bytes, if there are as many.

    Example:
        >>> encoding_of("Ann".encode("utf-16")), encoding_of(b"Ann")
        ('utf-16', 'utf-8')
    """
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def decode(raw: bytes) -> str:
    r"""Return the text of some bytes, without the mark they may begin with.

    Args:
        raw: All bytes of a file.

    Raises:
        NotTextError: They are marked as one thing and are another, or have no mark and are not UTF-8.

    Example:
        >>> decode("Ann Lee built it.\r\n".encode("utf-16"))
        'Ann Lee built it.\r\n'
    """
    encoding = encoding_of(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if raw.startswith(codecs.BOM_UTF32_LE) and (shorter := _as_utf_16(raw)) is not None:
            return shorter
        raise _not_text(raw, encoding, error) from None
    if encoding == "utf-8" and (order := _every_second_nul(raw[:_LOOKED_AT])) is not None:
        raise NotTextError(
            "UTF-16 without the mark that says so (every second byte is NUL)",
            f"Convert it with: iconv -f utf-16{order} -t utf-8 {{source}}",
        )
    return text


def _open(path: Path) -> IO[str]:
    file: Any = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115 - what is returned closes it
    try:
        return io.TextIOWrapper(file, encoding=encoding_of(file.peek(4)))  # a pipe could not be opened twice
    except BaseException:
        file.close()
        raise


class DamagedError(ValueError):
    """A file is no text in its encoding, or its gzip is damaged or cut short."""


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read a text file line by line, decompressed where its name ends in .gz.

    Yields:
        tuple: Number of the line, counted from 1, and the line with its break.

    Raises:
        DamagedError: What was read so far is all that can be read.
        OSError: The file cannot be opened.
    """
    try:
        with _open(path) as lines:
            yield from enumerate(lines, start=1)
    except (EOFError, UnicodeDecodeError, gzip.BadGzipFile, zlib.error) as error:
        raise DamagedError(str(error)) from None


def as_utf_8(file: IO[bytes]) -> IO[bytes]:
    """Return the bytes of a file as UTF-8, without a mark: the very file where it is that already.

    Args:
        file: A file at its beginning; it can seek. Half a surrogate pair in it is written as UTF-8 that nobody reads,
            so that the line it stands in is wrong, and no other.
    """
    encoding = encoding_of(file.read(4))
    file.seek(0)
    return file if encoding.startswith("utf-8") else io.BufferedReader(_Recoded(file, encoding), _CHUNK)


class _Recoded(io.RawIOBase):
    """A file's bytes in UTF-8; seeks by reading on, as gzip does."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._decoder = codecs.getincrementaldecoder(self._encoding)("surrogatepass")
        self._ready, self._at = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        if offset < self._at:
            self._begin()
        while self._at < offset and self.read(min(offset - self._at, _CHUNK)):
            pass
        return self._at

    def readinto(self, buffer: Any) -> int:
        into = memoryview(buffer)
        while not self._ready:
            raw = self._file.read(_CHUNK)
            self._ready = self._decoder.decode(raw, final=not raw).encode("utf-8", "surrogatepass")
            if not raw and not self._ready:
                return 0
        size = min(len(into), len(self._ready))
        into[:size] = self._ready[:size]
        self._ready, self._at = self._ready[size:], self._at + size
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _as_utf_16(raw: bytes) -> str | None:
    """Return a text of UTF-16 whose first character is NUL, which makes its mark that of UTF-32."""
    try:
        return raw.decode("utf-16")
    except UnicodeDecodeError:
        return None


def _not_text(raw: bytes, encoding: str, error: UnicodeDecodeError) -> NotTextError:
    place = error.start + len(raw) - len(error.object)  # UTF-8's mark is off before it is read
    at = f"byte {place} is 0x{raw[place]:02x}"
    if encoding != "utf-8":
        return NotTextError(
            f"marked as {_NAMES[encoding]}, and is not ({at}: {error.reason})",
            "It is damaged or was cut short: write it anew",
        )
    kind = next((kind for start, kind in _KINDS.items() if raw.startswith(start)), None)
    if kind is not None:
        return NotTextError(f"not UTF-8 ({at}): it is {kind}", "Take the text out of it first, and pass that")
    return NotTextError(
        f"not UTF-8 ({at}), and has no mark of another encoding",
        "Find out which it has (whoever wrote it knows; `file --mime-encoding {source}` makes a guess), look whether "
        "the text reads right in it, and convert it from that: iconv -f THAT -t utf-8 {source}",
    )


def _every_second_nul(start: bytes) -> str | None:
    """Return the byte order of what looks like UTF-16 in a Latin script; None for anything else."""
    even, odd = start[::2], start[1::2]
    if len(odd) < 8:
        return None
    for order, nuls, others in (("le", odd, even), ("be", even, odd)):
        if nuls.count(0) > 0.8 * len(nuls) and others.count(0) < 0.05 * len(others):
            return order
    return None

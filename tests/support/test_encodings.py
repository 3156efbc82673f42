"""Bytes of files become text by the mark they begin with; what has none and is not UTF-8 is refused, not guessed."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.support.encodings import DamagedError, NotTextError, as_utf_8, decode, encoding_of, text_lines

MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
texts = st.text(st.characters(codec="utf-8"))


@given(texts, st.sampled_from(sorted(MARKED)))
def test_marked_bytes_are_the_text(text: str, encoding: str) -> None:
    """In each encoding, either byte order, the text comes back without its mark, line ends as they are."""
    assert decode(MARKED[encoding] + text.encode(encoding)) == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff")))
def test_bytes_without_a_mark_are_utf_8(text: str) -> None:
    """What has no mark is UTF-8, the very text."""
    assert decode(text.encode()) == text


def test_nul_is_legal() -> None:
    """NULs in a text of UTF-8 do not make it another encoding, nor does one at the beginning of UTF-16."""
    for text in ("\0", "a\0b\0c", "find -print0\0a.txt\0b.txt\0", "\0" * 40):
        assert decode(text.encode()) == text
    assert decode("\0Ann".encode("utf-16")) == "\0Ann"


@pytest.mark.parametrize(
    ("raw", "problem", "advice"),
    [
        (
            b"caf\xe9 au lait",
            "not UTF-8 (byte 3 is 0xe9), and has no mark",
            "`file --mime-encoding a.txt` makes a guess",
        ),
        ("水车".encode("gb18030"), "not UTF-8 (byte 2 is 0xb3), and has no mark", "iconv -f THAT -t utf-8 a.txt"),
        (
            b"\xff\xfe\x41",
            "marked as UTF-16, and is not (byte 2 is 0x41: truncated data)",
            "cut short: write it anew",
        ),
        (b"\xef\xbb\xbf\xff", "marked as UTF-8, and is not (byte 3 is 0xff", "write it anew"),
        (b"\x00\x00\xfe\xff\xff\xff\xff\xff", "marked as UTF-32, and is not (byte 4 is 0xff", "write it anew"),
        ("Ann built it.".encode("utf-16-le"), "UTF-16 without the mark", "iconv -f utf-16le -t utf-8 a.txt"),
        ("Ann built it.".encode("utf-16-be"), "UTF-16 without the mark", "iconv -f utf-16be -t utf-8 a.txt"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "it is a PDF", "Take the text out of it first"),
        (b"PK\x03\x04\x14\x00\xff", "it is a zip archive, as .docx", "Take the text out of it first"),
        (gzip.compress(b"Ann", mtime=0), "it is a gzip archive", "Take the text out of it first"),
    ],
)
def test_what_is_no_text_is_refused_with_advice(raw: bytes, problem: str, advice: str) -> None:
    """The error says what is wrong, where, and how to find out; it names an encoding only where the bytes show it."""
    with pytest.raises(NotTextError) as refused:
        decode(raw)
    assert problem in str(refused.value)
    assert advice in refused.value.advice("a.txt")
    assert "latin" not in refused.value.advice("a.txt").lower()


@pytest.mark.parametrize("encoding", sorted(MARKED))
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_lines_are_read_in_any_of_them(tmp_path: Path, encoding: str, name: str) -> None:
    """`text_lines` reads and counts lines in each encoding, and what is compressed, too."""
    raw = MARKED[encoding] + "水车\r\nAnn\n".encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert list(text_lines(tmp_path / name)) == [(1, "水车\n"), (2, "Ann\n")]


@pytest.mark.parametrize("damage", ["cut short", "a changed byte", "no gzip", "no UTF-8"])
def test_damage_is_one_error(tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with a file's bytes, what can be read is read, and then it says so in one way."""
    raw = gzip.compress(b"".join(b"%d %s\n" % (number, os.urandom(40).hex().encode()) for number in range(2_000)))
    name = "a.jsonl" if damage == "no UTF-8" else "a.jsonl.gz"
    damaged = {
        "cut short": raw[: len(raw) // 2],
        "a changed byte": raw[:20_000] + bytes([raw[20_000] ^ 255]) + raw[20_001:],
        "no gzip": b"Ann\n",
        "no UTF-8": b"Ann\n" * 10_000 + b"\xff\n",
    }
    (tmp_path / name).write_bytes(damaged[damage])
    read = []
    with pytest.raises(DamagedError):
        read.extend(text_lines(tmp_path / name))
    assert [number for number, _ in read] == list(range(1, len(read) + 1)) and (read or damage == "no gzip")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """What cannot be read twice, as a shell's <(...), is read all the same."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=("Ann\n".encode("utf-16"),))
    writer.start()
    assert list(text_lines(tmp_path / "pipe")) == [(1, "Ann\n")]
    writer.join()


@given(st.lists(texts, max_size=5), st.sampled_from(sorted(MARKED)[:-1]), st.data())
def test_a_recoded_file_is_the_file_in_utf_8(lines: list[str], encoding: str, data: st.DataObject) -> None:
    """`as_utf_8` reads as the same text in UTF-8 would, from any place on, again and again."""
    plain = "\n".join(lines).encode()
    marked = io.BytesIO(MARKED[encoding] + "\n".join(lines).encode(encoding))
    if encoding == "utf-8":
        assert as_utf_8(marked) is marked
        return
    recoded = as_utf_8(marked)
    for _ in range(3):
        at = data.draw(st.integers(0, len(plain)))
        recoded.seek(at)
        assert recoded.read() == plain[at:]
    recoded.seek(0)
    assert list(recoded) == list(io.BytesIO(plain))
    recoded.close()
    assert marked.closed


def test_a_long_recoded_file_is_read_in_pieces() -> None:
    """Characters that two pieces share are whole, lines too, and half a pair spoils its own line alone."""
    lines = [f"{number} 水车 𝒜\n" for number in range(40_000)]
    recoded = as_utf_8(io.BytesIO("".join(lines).encode("utf-16")))
    assert list(recoded) == [line.encode() for line in lines]
    broken = as_utf_8(io.BytesIO("a\n\ud800\nb\n".encode("utf-16", "surrogatepass")))
    assert list(broken) == [b"a\n", b"\xed\xa0\x80\n", b"b\n"]


def test_the_mark_of_utf_32_is_not_that_of_utf_16() -> None:
    """The longer mark counts, and too few bytes have none."""
    assert encoding_of(codecs.BOM_UTF32_LE) == "utf-32"
    assert encoding_of(codecs.BOM_UTF16_LE) == "utf-16"
    assert encoding_of(b"\xff") == encoding_of(b"") == "utf-8"

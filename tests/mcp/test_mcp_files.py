"""An agent reads text under the folders the operator named, and nothing else."""

from __future__ import annotations

import ntpath
import os
import socket
from pathlib import Path

import pytest

from secateurs.mcp.files import Folders, below
from secateurs.mcp.limits import RefusedError, shown


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder to read, `docs`, beside one that is not, `secret`."""
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "a.txt").write_bytes("水车\r\nmill\n".encode())
    (tmp_path / "docs" / "deep" / "b.md").write_text("deep")
    (tmp_path / "docs" / "..c.txt").write_text("dots are no way out")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("secret")
    (tmp_path / "docs-too").mkdir()
    (tmp_path / "docs-too" / "key.txt").write_text("secret")
    return tmp_path


def folders(tree: Path, max_bytes: int = 1000) -> Folders:
    return Folders([tree / "docs"], max_bytes)


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "deep/../a.txt", "{}/docs/a.txt", "{}/docs/deep/../a.txt"])
def test_files_under_a_folder_are_read(tree, path):
    """By a relative or an absolute path, with their line ends as they are."""
    assert folders(tree).read(path.format(tree)) == "水车\r\nmill\n"


def test_a_name_that_looks_like_a_way_out_is_none(tree):
    """What counts is where a path leads."""
    assert folders(tree).read("..c.txt") == "dots are no way out"
    assert folders(tree).read("deep/b.md") == "deep"


OUTSIDE = [
    "../secret/key.txt",
    "deep/../../secret/key.txt",
    "{}/secret/key.txt",
    "{}/docs/../secret/key.txt",
    "../docs-too/key.txt",
    "../secret/no-such-file.txt",
    "/etc/hostname",
    "..",
    "/",
    "a\0b",
    "\ud800",
    "x" * 5000 + "/../../../secret/key.txt",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: ascii(path)[:30])
def test_everything_else_is_refused(tree, path):
    """Absolute, by `..` or by an impossible name: refused in one way, whether there is such a file or not."""
    with pytest.raises(RefusedError, match="is outside the folders this server may read") as refused:
        folders(tree).read(path.format(tree))
    assert "compress_text" in str(refused.value)
    assert "secret" not in str(refused.value).replace(shown(path.format(tree)), "")


@pytest.mark.parametrize(
    "path", [*sorted({*OUTSIDE} - {"\ud800"}), "/net/evil.example/x", "//evil.example/x", "{}/docs-too"]
)
def test_what_reads_as_outside_is_not_looked_up(tree, monkeypatch, path):
    """Nothing is asked of the system about a path that is refused: to ask can mount a disk, or call a machine."""
    asked, docs = [], folders(tree)
    for name in ("stat", "lstat", "readlink", "open", "scandir", "listdir"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda path, *args, real=real, **named: asked.append(path) or real(path, *args, **named)
        )
    with pytest.raises(RefusedError, match="outside the folders"):
        docs.read(path.format(tree))
    assert asked == []
    docs.read("a.txt")
    assert asked


def test_a_folder_may_be_named_by_a_link(tree):
    """What the operator called a folder is a name for it to agents, too, and so is where that leads."""
    (tree / "way").symlink_to(tree / "docs", target_is_directory=True)
    docs = Folders([tree / "way"], 1000)
    for path in ("deep/b.md", f"{tree}/way/deep/b.md", f"{tree}/docs/deep/b.md"):
        assert docs.read(path) == "deep"
    with pytest.raises(RefusedError, match="outside the folders"):
        docs.read(f"{tree}/secret/key.txt")


WINDOWS = {
    "a.txt": "a.txt",
    "deep\\b.md": "deep\\b.md",
    "deep/b.md": "deep\\b.md",
    "C:\\Docs\\a.txt": "a.txt",
    "c:/docs/deep/../a.txt": "a.txt",
    "C:a.txt": "a.txt",
    "\\\\host\\share\\a.txt": None,
    "//host/share/a.txt": None,
    "\\\\?\\C:\\docs\\a.txt": None,
    "\\\\.\\pipe\\a": None,
    "D:\\a.txt": None,
    "D:a.txt": None,
    "\\other\\a.txt": None,
    "..\\a.txt": None,
    "deep\\..\\..\\a.txt": None,
    "NUL": None,
    "deep\\com1.txt": None,
    "aux .txt": None,
    "a.txt:stream": None,
}


@pytest.mark.parametrize("path", WINDOWS)
def test_paths_of_windows_are_judged_by_their_words(path):
    """Another machine's share, which would be sent credentials, another drive, and devices are outside."""
    assert below("C:\\docs", path, ntpath) == WINDOWS[path]


def test_links_count_by_where_they_lead(tree):
    """A link to the outside is refused, file or folder; one that stays inside is not; a circle is none."""
    docs = tree / "docs"
    (docs / "out.txt").symlink_to(tree / "secret" / "key.txt")
    (docs / "way").symlink_to(tree / "secret", target_is_directory=True)
    (docs / "in.txt").symlink_to(docs / "deep" / "b.md")
    (docs / "up").symlink_to("..", target_is_directory=True)
    (docs / "round").symlink_to("round")
    for path in ("out.txt", "way/key.txt", "up/secret/key.txt"):
        with pytest.raises(RefusedError, match="outside the folders"):
            folders(tree).read(path)
    assert folders(tree).read("in.txt") == "deep"
    assert folders(tree).read("up/docs/a.txt").startswith("水车")
    with pytest.raises(RefusedError):
        folders(tree).read("round")


def test_a_link_put_there_after_the_check_is_not_followed(tree):
    """A folder or file that is swapped for a link between checking and opening leads nowhere."""
    from secateurs.mcp.files import _open

    docs = tree / "docs"
    (docs / "way").symlink_to(tree / "secret", target_is_directory=True)
    (docs / "out.txt").symlink_to(tree / "secret" / "key.txt")
    for inside in (Path("way/key.txt"), Path("out.txt")):
        with pytest.raises(OSError, match=r"."):
            _open(docs, inside)
    descriptor = _open(docs, Path("deep/b.md"))
    assert os.read(descriptor, 10) == b"deep"
    os.close(descriptor)


def test_what_is_no_text_file_is_refused(tree):
    """Folders, pipes, bytes and missing files are refused by name, without waiting or reading them whole."""
    docs = tree / "docs"
    (docs / "image.png").write_bytes(b"\x89PNG\xff")
    os.mkfifo(docs / "pipe")
    for path, message in [
        ("deep", "is a folder"),
        ("", "is a folder"),
        ("pipe", "no ordinary file"),
        ("image.png", r"not UTF-8 \(byte 0 is 0x89\): it is a picture"),
        ("nope.txt", "there is no file 'nope.txt'"),
        ("a.txt/b", "there is no file"),
    ]:
        with pytest.raises(RefusedError, match=message):
            folders(tree).read(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_with_a_mark_are_read(tree, encoding):
    """A file that says its encoding is read in it, as PowerShell and Notepad write them, and the mark is no text."""
    (tree / "docs" / "marked.txt").write_bytes("水车 was built in 1842.\r\n".encode(encoding))
    assert folders(tree).read("marked.txt") == "水车 was built in 1842.\r\n"


def test_another_encoding_is_not_guessed(tree):
    """An agent is told how to find out the encoding, and to pass the converted file."""
    (tree / "docs" / "old.txt").write_bytes(b"caf\xe9")
    with pytest.raises(
        RefusedError, match=r"no mark of another encoding\. Find out which.*then pass that path\."
    ) as error:
        folders(tree).read("old.txt")
    assert "latin" not in str(error.value)


def test_large_files_are_refused(tree):
    """A file over the limit is not read; one of exactly the limit is."""
    size = (tree / "docs" / "a.txt").stat().st_size
    assert folders(tree, size).read("a.txt")
    with pytest.raises(RefusedError, match=rf"has {size} bytes, the limit is {size - 1}.*--max-bytes"):
        folders(tree, size - 1).read("a.txt")


def test_files_that_cannot_be_opened_are_refused(tree, monkeypatch):
    """The system's reason is passed on, whoever asks: root is refused a socket, too."""
    monkeypatch.chdir(tree / "docs")  # an address of a socket is a hundred characters at most
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("socket.txt")
        with pytest.raises(RefusedError, match=r"'socket\.txt' cannot be read: .*(device|supported)"):
            folders(tree).read("socket.txt")
    locked = tree / "docs" / "locked.txt"
    locked.write_text("x")
    locked.chmod(0)
    if not os.access(locked, os.R_OK):  # root reads it
        with pytest.raises(RefusedError, match="cannot be read: Permission denied"):
            folders(tree).read("locked.txt")


def test_several_folders_are_tried_in_order(tree):
    """A relative path means the first folder that has it."""
    both = Folders([tree / "docs", tree / "docs-too"], 1000)
    assert both.read("key.txt") == "secret"
    assert both.read("a.txt").startswith("水车")
    assert both.read(str(tree / "docs-too" / "key.txt")) == "secret"
    with pytest.raises(RefusedError, match="there is no file 'b'"):
        both.read("b")


def test_a_root_must_be_a_folder(tree):
    """A missing folder, or a file, is the operator's mistake."""
    for root in (tree / "nope", tree / "docs" / "a.txt"):
        with pytest.raises(ValueError, match="is no folder: name a folder that exists"):
            Folders([root], 1000)


def test_a_root_may_be_a_link(tree):
    """The operator may name a folder by a link to it."""
    (tree / "link").symlink_to(tree / "docs", target_is_directory=True)
    assert Folders([tree / "link"], 1000).read("deep/b.md") == "deep"
    assert Folders([tree / "link"], 1000).read(str(tree / "link" / "deep" / "b.md")) == "deep"

"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from secateurs.errors import Error
from secateurs.support.files import WriteError, remove_unfinished, replace_file, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """While it is written the old one stands; afterwards the new one alone, with the old one's mode."""
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)

    def write(part: Path) -> None:
        assert part.suffix == ".txt"
        assert path.read_text(encoding="utf-8") == "old"
        part.write_text("new", encoding="utf-8")

    replace_file(path, write)
    assert path.read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["a.txt"]
    assert sys.platform == "win32" or stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="it opens no folders")
def test_file_and_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut loses neither what is in the file nor its name: both are synced, the file first."""
    synced: list[tuple[bool, list[str]]] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), names(tmp_path)))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_text(tmp_path / "a.txt", "new")
    assert [folder for folder, _ in synced] == [False, True]
    assert "a.txt" not in synced[0][1]
    assert synced[1][1] == ["a.txt"]


@pytest.mark.parametrize(
    ("failure", "seen"),
    [(OSError(28, "No space left"), WriteError), (ValueError("no"), WriteError), (KeyboardInterrupt(), None)],
)
def test_what_fails_leaves_the_old_file(
    tmp_path: Path, failure: BaseException, seen: type[BaseException] | None
) -> None:
    """Where writing fails the old file stands, nothing lies beside it, and the error names the file."""
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")

    def write(part: Path) -> None:
        part.write_text("half", encoding="utf-8")
        raise failure

    with pytest.raises(seen or type(failure)) as caught:
        replace_file(path, write)
    assert seen is None or f"cannot write {path}" in str(caught.value)
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_that_explains_itself_passes(tmp_path: Path) -> None:
    """What the writer says in an error of ours is not wrapped into another."""
    said = Error("line 3 is not ours")

    def write(part: Path) -> None:
        raise said

    with pytest.raises(Error) as caught:
        replace_file(tmp_path / "a.txt", write)
    assert caught.value is said


def test_what_a_kill_leaves_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """The unfinished files of one name go, or of all; a user's hidden file stays, whatever the name looks like."""
    for name in (f".{'0' * 32}.a[1].txt", f".{'f' * 32}.b.txt", ".mine.a[1].txt", "a[1].txt"):
        (tmp_path / name).write_text("", encoding="utf-8")
    remove_unfinished(tmp_path, "a[1].txt")
    assert names(tmp_path) == [".ffffffffffffffffffffffffffffffff.b.txt", ".mine.a[1].txt", "a[1].txt"]
    remove_unfinished(tmp_path)
    assert names(tmp_path) == [".mine.a[1].txt", "a[1].txt"]

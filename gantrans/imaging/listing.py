"""Which files lie below a folder: sorted, nested, without hidden ones, each real folder once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gantrans.errors import DataError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # what systems leave behind; hidden in spirit


def list_files(root: Path) -> list[str]:
    """Every non-hidden file below `root`, as sorted POSIX paths relative to it; links to nothing and pipes
    too, so that whoever reads them can name them.

    Links are followed, but each real folder is visited once, so loops end. Raises DataError if `root` is not
    a folder that can be listed.
    """
    root = Path(root)
    if not root.exists():
        raise DataError(f"{root}: no such folder")
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give the folder that holds it")
    return sorted(_walk(root))


def list_images(root: Path) -> list[str]:
    """The files of `list_files` whose suffix, in any case, is an image's."""
    return [name for name in list_files(root) if is_image_name(name)]


def is_image_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def irregular(path: Path) -> str | None:
    """Why `path`, though it was listed, is no file that can be read: opening a pipe would wait for ever."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "is not a regular file"
    except OSError:
        return "is a link to nothing" if path.is_symlink() else None  # opening it says why


def _walk(root: Path) -> Iterator[str]:
    """Real folders first, links to folders last, so that a link never takes its goal's place."""
    seen: set[Path] = set()
    folders, links = [""], list[str]()
    while folders or links:
        prefix = folders.pop() if folders else links.pop()
        real = (root / prefix).resolve()
        if real in seen:
            continue
        seen.add(real)
        for entry in _entries(root / prefix):
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name
        links.sort(reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}); make it readable") from error
    return [e for e in entries if not e.name.startswith(".") and e.name.lower() not in _LITTER]

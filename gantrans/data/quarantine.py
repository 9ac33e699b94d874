"""A list of files that are left out: written by `gantrans check fix=FILE`, honoured by data.quarantine=FILE.

One file a line, relative to data.root (or absolute, where it lies elsewhere), then a tab and the reason.
Empty lines and lines that begin with # say nothing. People may edit it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gantrans.errors import ConfigError, DataError
from gantrans.imaging.write import write_text_atomic

_HEAD = "# Files that are left out, with the reason: data.quarantine=THIS_FILE\n"


@dataclass(frozen=True)
class Quarantine:
    """Files by absolute path, links not followed."""

    files: frozenset[str] = field(default=frozenset())

    def holds(self, path: Path) -> bool:
        return bool(self.files) and os.path.abspath(path) in self.files  # noqa: PTH100 (links stay links)


NONE = Quarantine()


def read_quarantine(file: Path | None, root: Path) -> Quarantine:
    """The list in `file`, its names relative to `root`; None: nothing is left out. Raises ConfigError."""
    if file is None:
        return NONE
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"data.quarantine={file}: cannot be read: {reason}; needed is a text file with one file a line, "
            "as `gantrans check fix=FILE` writes it, or null"
        ) from error
    names = [line.partition("\t")[0] for line in text.splitlines() if line and not line.startswith("#")]
    folder = _folder(root)
    return Quarantine(frozenset(os.path.abspath(folder / name) for name in names))  # noqa: PTH100


def write_quarantine(file: Path, root: Path, reasons: Mapping[Path, str]) -> None:
    """Write the list. Raises DataError for a name that a line cannot hold, StorageError if the disk fails."""
    lines = []
    folder = _folder(root)
    for path, reason in reasons.items():
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path.absolute())
        if name != name.strip("\r\n") or any(end in name for end in "\t\n\r") or name.startswith("#"):
            raise DataError(f"{path!r}: a list cannot hold this name; rename the file")
        lines.append(f"{name}\t{' '.join(reason.split())}\n")
    write_text_atomic(file, _HEAD + "".join(sorted(lines)))


def _folder(root: Path) -> Path:
    """What names are relative to: the folder of images, or that of the table of pairs."""
    return root.parent if root.is_file() else root

"""OUT/translate.jsonl: which file was made of what and how, so that a second call knows what it may keep.

One line each: a setup (model, keys) when it is first used, a file that was written, a file that failed. A
line follows its file, so whatever an interrupt leaves is done again, or kept because it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from gantrans.errors import ConfigError
from gantrans.imaging.write import storage_error
from gantrans.inference.plan import Planned

NAME = "translate.jsonl"


class Record:
    """What OUT holds. `setup` is all that tells one picture from another made of the same file: plain values
    by name. Raises StorageError, from `wrote` on."""

    def __init__(self, out: Path, setup: dict[str, Any]) -> None:
        self.out, self.setup = out, setup
        self.masks: dict[Path, Path] = {}  # input -> the mask that it is translated with
        self.key = hashlib.sha256(json.dumps(setup, sort_keys=True).encode()).hexdigest()[:12]
        self._setups: dict[str, dict[str, Any]] = {}
        self._files: dict[str, dict[str, Any]] = {}
        for line in _lines(out / NAME):
            if not isinstance(line.get("setup"), str):
                continue
            if isinstance(line.get("keys"), dict):
                self._setups[line["setup"]] = line["keys"]
            elif isinstance(line.get("file"), str):
                self._files[line["file"]] = line

    def check(self, planned: Planned) -> None:
        """Raises ConfigError where outputs that would be kept were made in another way."""
        others = Counter(
            line["setup"]
            for _, target in planned
            if (line := self._line(target)) and line.get("setup") != self.key and _is_there(target)
        )
        if not others:
            return
        other, count = others.most_common(1)[0]
        was = self._setups.get(other, {})
        names = sorted(k for k in was.keys() | self.setup.keys() if was.get(k) != self.setup.get(k))
        changes = ", ".join(f"{k} was {was.get(k)}, now {self.setup.get(k)}" for k in names) or "other keys"
        raise ConfigError(
            f"out={self.out}: {count} of its files were made in another way ({changes}); "
            "overwrite=true makes all of them anew, another out= leaves them as they are"
        )

    def may_stay(self, source: Path, target: Path) -> bool:
        """Whether the output is there and its input is what it was; one without a line is trusted."""
        if not _is_there(target):  # unlike Path.is_file answers for names that are too long
            return False
        line = self._line(target)
        return line is None or line.get("of") == self._identity(source)

    def wrote(self, source: Path, target: Path) -> None:
        """Note an output that is on the disk."""
        line = {"file": self._name(target), "of": self._identity(source), "setup": self.key}
        self._append(line)
        self._files[line["file"]] = line

    def failed(self, source: Path, reason: str) -> None:
        """Note an input that gave none."""
        self._append({"failed": source.name, "reason": reason})

    def _identity(self, source: Path) -> list[Any]:
        """Of the input, and of its mask."""
        mask = self.masks.get(source)
        return [*_identity(source), *(_identity(mask) if mask else ())]

    def _line(self, target: Path) -> dict[str, Any] | None:
        return self._files.get(self._name(target))

    def _name(self, target: Path) -> str:
        return target.relative_to(self.out).as_posix()

    def _append(self, line: dict[str, Any]) -> None:
        lines = [line]
        if self.key not in self._setups:
            self._setups[self.key] = self.setup
            lines.insert(0, {"setup": self.key, "keys": self.setup})
        path = self.out / NAME
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as stream:
                start = b"" if _ends_whole(path) else b"\n"
                stream.write(start + b"".join(json.dumps(one).encode() + b"\n" for one in lines))
        except OSError as error:
            raise storage_error(path, error) from error


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole: an interrupt may have cut the last."""
    try:
        if not path.is_file():  # a device may never end
            return []
        texts = path.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for text in texts:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            found.append(line)
    return found


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        return size == 0 or stream.read(1) == b"\n"


def _identity(source: Path) -> list[Any]:
    """What tells that a file is still the one it was: name, size, time of change."""
    try:
        found = source.stat()
    except OSError:
        return [source.name]
    return [source.name, found.st_size, found.st_mtime_ns]


def _is_there(target: Path) -> bool:
    try:
        return target.is_file()
    except OSError:  # a name that is too long
        return False

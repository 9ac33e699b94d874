"""Reads a list of pairs: a table with two columns of files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from gantrans.data.quarantine import NONE, Quarantine
from gantrans.errors import DataError


def read_table(path: Path, without: Quarantine = NONE) -> Iterator[tuple[str, Path, Path]]:
    """(key, source, target) of each row of a .csv (header, two file columns first) or .jsonl with source and
    target; paths relative to the file. Raises DataError naming the row that is wrong."""
    if path.suffix not in (".csv", ".jsonl"):
        raise DataError(
            f"data.root={path}: a folder, or a .csv / .jsonl file with two file columns, is needed"
        )
    with path.open(newline="", encoding="utf-8-sig") as stream:
        try:
            rows = (
                list(csv.DictReader(stream))
                if path.suffix == ".csv"
                else [json.loads(s) for s in stream if s.strip()]
            )
        except (json.JSONDecodeError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}: not readable as {path.suffix}: {error}") from error
    for number, row in enumerate(rows, start=1):
        row = row if isinstance(row, dict) else {}
        values = (
            [row[k] for k in ("source", "target")] if {"source", "target"} <= row.keys() else [*row.values()]
        )
        if len(values) != 2 or not all(isinstance(v, str) and v for v in values):
            raise DataError(
                f"{path}: row {number} must name two files, in columns source and target or in just two "
                f"columns; found {', '.join(map(str, row)) or 'nothing'}"
            )
        source, target = (path.parent / v for v in values)
        if without.holds(source) or without.holds(target):
            continue
        for file in (source, target):
            if not file.is_file():
                raise DataError(f"{path}: row {number} names {file}, which does not exist")
        yield " + ".join(values), source, target

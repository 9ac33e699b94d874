"""What the key `shards` of gantrans pairs means."""

from __future__ import annotations

from pathlib import Path

from gantrans.data import shards_read
from gantrans.errors import ConfigError

AUTO = "auto"
AUTO_PAIRS = 100_000  # from so many pairs on, files of their own are a burden on most file systems
AUTO_MIB = 512


def limit_mib(shards: object, pairs: int, out: Path) -> int | None:
    """How large tars are to be, in MiB; None: pairs stay loose.

    `shards` is the key: a number, null, or "auto", which packs from 100,000 pairs on. What holds tars goes on
    with tars. Raises ConfigError.
    """
    if shards in (AUTO, None) and shards_read.read_bounds(out):
        return AUTO_MIB
    if shards == AUTO:
        return AUTO_MIB if pairs >= AUTO_PAIRS else None
    if shards is None or (isinstance(shards, int) and not isinstance(shards, bool) and shards > 0):
        return shards
    raise ConfigError(f"shards={shards}: accepted are MiB a tar, from 1, auto, or null for loose files")

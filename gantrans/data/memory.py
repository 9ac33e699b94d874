"""How much memory is free, as far as the system says."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free_bytes(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes that can still be used without swapping, in this container too; 2 GiB where nobody says."""
    found = [_available(meminfo)]
    for limit, used in _LIMITS:
        numbers = [_number(cgroup / name) for name in (limit, used)]
        if None not in numbers:
            used_for_good = numbers[1] - _reclaimable(cgroup / limit)  # type: ignore[operator]
            found.append(max(0, numbers[0] - used_for_good))  # type: ignore[operator]
    known = [value for value in found if value is not None]
    return min(known) if known else 2 * 2**30


def _available(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return None
    except (OSError, ValueError, IndexError):
        return _physical()


def _physical() -> int | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _reclaimable(limit: Path) -> int:
    """Bytes of files that the kernel remembers and would forget, were memory short."""
    try:
        words = limit.with_name("memory.stat").read_text(encoding="ascii").split()
        return int(words[words.index("inactive_file") + 1])
    except (OSError, ValueError, IndexError):
        return 0


def _number(path: Path) -> int | None:
    """The number in a file; None if there is none, as "max"."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

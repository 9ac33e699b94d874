"""Keeps large freed blocks in the process instead of returning them to the kernel.

glibc maps every big tensor anew and page-faults it in, which costs many times the writing of it; measured in
docs/adr/0006-heap.md. Linux with glibc only; elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_large_blocks() -> bool:
    """Raise malloc's thresholds; True where that took effect."""
    mallopt = _glibc("mallopt")
    return bool(mallopt and mallopt(_M_MMAP_THRESHOLD, 2**30) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def give_back_free_blocks() -> bool:
    """Return what is free to the kernel, between works of seconds that need blocks of other sizes: kept ones
    would not fit and lie beside the new. True where something was returned."""
    trim = _glibc("malloc_trim")
    return bool(trim and trim(0))


def _glibc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL("libc.so.6"), name)
    except (OSError, AttributeError):
        return None

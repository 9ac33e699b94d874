"""What idle OpenMP threads do, a setting that counts only before torch is loaded."""

from __future__ import annotations

import os

_SPINS = "1000"  # turns of a waiting loop, some 20 microseconds


def let_idle_threads_sleep() -> None:
    """Spin briefly, then sleep: loader processes and other runs get the cores (docs/adr/0006-heap.md).

    Nothing where the user has set OMP_WAIT_POLICY. GOMP_SPINCOUNT is GCC's; other runtimes sleep at once.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)

"""Imported only by the server process that workers are forked from, and first.

It must outlive a signal to the whole process group, as schedulers send it: were it to die, the launcher would
take all workers for dead while they save. Workers hear signals again (core/launch.py, `hear_signals`).
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)

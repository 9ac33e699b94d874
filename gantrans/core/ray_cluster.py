"""A Ray cluster to work on: one that runs, or one of our own. Ray is an extra, and imported nowhere else."""

from __future__ import annotations

import io
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from tqdm import tqdm

from gantrans.errors import ConfigError

_OBJECT_STORE = 100 * 2**20  # bytes, of a cluster of our own; nothing of size travels through it
_PROBE_S = 5.0  # in which a host that is there takes a connection
_NOTE = 200  # letters of what Ray prints that are passed on
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
_OWN = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE}


def load() -> Any:
    """The module ray. Raises ConfigError saying how to get it."""
    try:
        import ray  # type: ignore[import-not-found]  # an extra
    except ImportError as error:
        raise ConfigError(
            f'launcher=ray: needs Ray ({error}); pip install "gantrans[ray]", or use launcher=local'
        ) from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None) -> Iterator[None]:
    """Within a running cluster, or one that ends with the context. Raises ConfigError where none answers."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tell nobody, unless the user wants it
    os.environ.setdefault("RAY_COLOR_PREFIX", "0")
    asked = address or os.environ.get("RAY_ADDRESS")
    try:
        _probe(asked)
        try:
            ray.init(address=asked or "auto", **(_OWN if asked == "local" else {}), **_QUIET)
        except ConnectionError:
            if asked:
                raise
            ray.init(address="local", **_OWN, **_QUIET)
    except Exception as error:  # Ray's own are of every kind, of no kind at all among them
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"ray.address={address or 'null'}: no cluster at {asked or 'this machine'}: {why}; give the "
            "HOST:PORT that `ray start --head` printed, or null to use this machine alone"
        ) from error
    with redirect_stdout(_Notes()):
        try:
            yield
        finally:
            ray.shutdown()  # prints what it has not yet told


def _probe(address: str | None) -> None:
    """Raise OSError where nobody listens at HOST:PORT; Ray would try for two minutes."""
    found = re.fullmatch(r"(?:\w+://)?\[?(?P<host>[^\[\]/]+?)\]?:(?P<port>\d{1,5})", address or "")
    if found:
        with socket.create_connection((found["host"], int(found["port"])), timeout=_PROBE_S):
            pass


class _Notes(io.TextIOBase):
    """Where Ray prints that a node was lost, with its log; the beginning is passed on."""

    def write(self, text: str) -> int:
        if text.strip():
            line = text.strip().splitlines()[0].removeprefix("(raylet) ")
            tqdm.write(f"note      ray: {line[:_NOTE]}", file=sys.stderr)
        return len(text)


def at_once(ray: Any, cpus: int) -> tuple[int, int]:
    """How many tasks of `cpus` CPUs each the nodes that are alive hold, and the CPUs of the largest."""
    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    return sum(have // cpus for have in nodes), max(nodes, default=0)

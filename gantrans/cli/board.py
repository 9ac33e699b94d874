"""gantrans board [RUN ...]: TensorBoard on runs, named by their folders, with the right arguments."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from gantrans.cli.board_runs import ROOT, find, link
from gantrans.cli.options import refuse_config_flags
from gantrans.errors import CheckpointError, ConfigError, Interrupted, StorageError

HELP = """gantrans board [RUN ...] [port=6006] [reload=10] [samples=200]

Opens TensorBoard on one or several runs, or on all that lie under the folders given (without any: under
runs/), new ones too as they appear. Runs bear the names of their folders. Ctrl-C ends it.

    port      where it listens, on 127.0.0.1 only; left out: 6006, or another free one
    reload    seconds until new values are looked for
    samples   how many pictures and histograms a slider holds; 0: all

Which chart answers which question: docs/tensorboard.md.
"""
HOST, PORT = "127.0.0.1", 6006
START = 60.0  # seconds in which it must answer


def run(args: list[str]) -> None:
    """The verb: find the runs, start TensorBoard, say where, wait for Ctrl-C."""
    if "-h" in args or "--help" in args:
        print(HELP, end="")
        return
    refuse_config_flags("board", args)
    if strange := [arg for arg in args if arg.startswith("-")]:
        raise ConfigError(f"{strange[0]}: board takes run folders and port=, reload=, samples=")
    keys: dict[str, int | None] = {"port": None, "reload": 10, "samples": 200}
    places: list[Path] = []
    for arg in args:
        key, equals, value = arg.partition("=")
        if equals and key in keys and not Path(arg).exists():
            keys[key] = _number(key, value)
        else:
            places.append(Path(arg).expanduser())
    runs = find(places or [ROOT])
    port = keys["port"] or _free_port()
    if keys["port"] and not _is_free(port):
        raise ConfigError(
            f"port={port} is taken on {HOST}, by another board perhaps; leave it out or take another"
        )
    with tempfile.TemporaryDirectory(prefix="gantrans-board-") as folder, _ends_its_child():
        link(runs, Path(folder))
        _serve(places or [ROOT], Path(folder), port, keys["reload"] or 10, keys["samples"] or 0)


def command(folder: Path, port: int, reload: int, samples: int, title: str) -> list[str]:
    """How TensorBoard is called."""
    kept = f"images={samples},histograms={samples},scalars=10000,text=100"
    return [
        sys.executable, "-m", "tensorboard.main", "--logdir", str(folder),
        "--host", HOST, "--port", str(port),
        "--reload_interval", f"{reload}", "--reload_multifile", "true", "--window_title", title,
        "--samples_per_plugin", kept,
    ]  # fmt: skip


def _serve(places: list[Path], folder: Path, port: int, reload: int, samples: int) -> None:
    runs = find(places)
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    title = f"gantrans: {next(iter(runs)) if len(runs) == 1 else count}"
    with (folder.parent / f"{folder.name}.log").open("w+", encoding="utf-8") as log:
        Path(log.name).unlink()
        board = subprocess.Popen(command(folder, port, reload, samples, title), stdout=log, stderr=log)
        try:
            _wait_until_it_answers(board, port, log)
            print(f"board     http://{HOST}:{port}/   ({count})")
            print("          Ctrl-C ends it", flush=True)
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _gone(board.wait(timeout=max(reload, 1)), log)
                with contextlib.suppress(CheckpointError):
                    link(find(places), folder)
        except KeyboardInterrupt:
            print("\nstopped")
        finally:
            board.terminate()
            board.wait()


def _wait_until_it_answers(board: subprocess.Popen[bytes], port: int, log: TextIO) -> None:
    deadline = time.monotonic() + START
    while not _answers(port):
        if board.poll() is not None or time.monotonic() > deadline:
            _gone(board.returncode, log)
        time.sleep(0.1)


def _gone(code: int | None, log: TextIO) -> NoReturn:
    log.seek(0)
    last = next((line for line in reversed(log.read().splitlines()) if line.strip()), "it said nothing")
    raise StorageError(f"TensorBoard ended (exit code {code}): {last.strip()}")


@contextlib.contextmanager
def _ends_its_child() -> Iterator[None]:
    """A polite kill is an error like others, so that TensorBoard does not outlive its parent."""

    def end(number: int, _frame: object) -> None:
        raise Interrupted("the board was told to end", number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _number(key: str, value: str) -> int:
    least, most = {"port": (1, 65535), "reload": (1, 86400), "samples": (0, 100_000)}[key]
    if not value.isdigit() or not least <= int(value) <= most:
        raise ConfigError(f"{key}={value}: accepted are whole numbers from {least} to {most}")
    return int(value)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _answers(port: int) -> bool:
    """By a connection: while a port is tried by binding it is taken, and TensorBoard may ask just then."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _free_port() -> int:
    if _is_free(PORT):
        return PORT
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

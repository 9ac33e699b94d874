"""gantrans demo-ui: a page in the browser that shows what a model makes of a photo."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb
from gantrans.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from omegaconf import DictConfig

HOST, PORTS = "127.0.0.1", range(7860, 7960)
# Gradio would tell its makers of each start, and ask them for a newer version.
SILENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}


def run(args: list[str]) -> None:
    """The verb: load the model, serve the page to this machine, wait for Ctrl-C."""
    run_verb("demo-ui", args, _serve)


def _serve(config: DictConfig, overrides: list[str]) -> None:
    del overrides
    if importlib.util.find_spec("gradio") is None:
        raise ConfigError("demo-ui needs gradio, which is not installed here: pip install 'gantrans[ui]'")
    if config.longest < 64:
        raise ConfigError(f"longest={config.longest}: accepted are 64 pixels or more")
    port = _port(config.port)
    from gantrans.core.device import open_core
    from gantrans.inference.demo import Demo

    with tempfile.TemporaryDirectory(prefix="gantrans-demo-") as folder, _quiet(Path(folder)):
        core = open_core(config.device, config.precision)
        demo = Demo(Path(config.model).expanduser(), core, Path(folder) / "results", longest=config.longest)
        from gantrans.cli.demo_page import build, launch

        launch(build(demo), HOST, port, folder, browser=config.open)
        print(f"demo      http://{HOST}:{port}/   (this machine alone)")
        print("          Ctrl-C ends it", flush=True)
        signal.signal(signal.SIGTERM, _end)  # so that the folder goes away then, too
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("\nstopped")
        finally:
            demo.finish(60.0)


def _end(number: int, _frame: object) -> None:
    raise Interrupted("the page was told to end", number)


def _port(asked: int | None) -> int:
    """A free port. Raises ConfigError."""
    if asked is not None and not 1 <= asked <= 65535:
        raise ConfigError(f"port={asked}: accepted are 1 to 65535, and null")
    for port in PORTS if asked is None else [asked]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return port
    found = f"port={asked} is" if asked else f"ports {PORTS[0]} to {PORTS[-1]} are"
    raise ConfigError(f"{found} taken on {HOST}, or not ours to take; give another port=")


@contextlib.contextmanager
def _quiet(folder: Path) -> Iterator[None]:
    """Uploads go to `folder`, which goes away at the end, and nothing is told to anyone."""
    wanted = {**SILENT, "GRADIO_TEMP_DIR": str(folder / "uploads")}
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})

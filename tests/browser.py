"""A headless Chromium, driven by its debugging pipe: pages that hold connections open never come to rest, so
that --dump-dom would wait for ever."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"]  # fmt: skip


class Browser:
    """One page. `home`: a folder of its own. Close it."""

    def __init__(self, home: Path) -> None:
        down, up = os.pipe(), os.pipe()

        def as_three_and_four() -> None:
            read, write = os.dup(down[0]), os.dup(up[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        command = ["chromium", *FLAGS, f"--user-data-dir={home}"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, preexec_fn=as_three_and_four, close_fds=False, **silent)
        os.close(down[0])
        os.close(up[1])
        self._write, self._read = os.fdopen(down[1], "wb", 0), os.fdopen(up[0], "rb", 0)
        self._held, self._number, self._session = b"", 0, ""
        self.asked: set[str] = set()  # every address that the page wanted

    def open(self, url: str) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            if answer.get("method") == "Network.requestWillBeSent":
                self.asked.add(answer["params"]["request"]["url"])
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = self._read.read(2**16)
            if not more:
                raise EOFError("chromium ended")
            self._held += more
        message, _, self._held = self._held.partition(b"\0")
        return json.loads(message)

    def value(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait(self, script: str, seconds: float = 150) -> Any:
        """The value of `script` once it is true. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.value(script):
                return found
            time.sleep(0.3)
        raise TimeoutError(script)

    def choose_file(self, path: Path) -> None:
        """Into the first file field of the page."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._write.close()
        self._read.close()

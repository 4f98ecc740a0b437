"""A headless Chromium, driven over a pipe: open an address, evaluate JavaScript in its frames."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-site-isolation-trials",
    "--disable-features=IsolateSandboxedIframes", "--window-size=1600,1000",
    "--remote-debugging-pipe",
)  # fmt: skip

START = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Program that starts the browser, which reads descriptor 3 and writes descriptor 4."""


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(to_browser), str(from_browser), program,
             *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.contexts: dict[int, dict[str, Any]] = {}
        """Contexts of the frames in which JavaScript can be evaluated."""
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        self.call("Runtime.enable")
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            received = self._receive()
            if received.get("id") == self._number:
                if "error" in received:
                    raise RuntimeError(received["error"]["message"])
                result: dict[str, Any] = received["result"]
                return result

    def open(self, address: str) -> None:
        """Open an address."""
        self.contexts.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)

    def evaluate(self, script: str, context: int | None = None) -> Any:
        """Return the value of an expression, in the main frame by default."""
        where = {} if context is None else {"contextId": context}
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, **where)
        return found["result"].get("value")

    def wait_for(self, script: str, seconds: float = 60, *, in_a_frame: bool = False) -> Any:
        """Wait until an expression is true in the page, or in any frame below it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for context in [*self.contexts] if in_a_frame else [None]:
                try:
                    if value := self.evaluate(script, context):
                        return value
                except RuntimeError:  # the frame is gone
                    continue
            self.evaluate("1")
            time.sleep(0.2)
        text = self.evaluate("document.body.innerText")
        raise AssertionError(f"not within {seconds} s: {script}\n{text}")

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 16)
            if not part:
                raise RuntimeError("the browser ended")
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if message.get("method") == "Runtime.executionContextCreated":
            context = message["params"]["context"]
            self.contexts[context["id"]] = context
        elif message.get("method") == "Runtime.executionContextDestroyed":
            self.contexts.pop(message["params"]["executionContextId"], None)
        return message

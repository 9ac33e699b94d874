"""torch.compile for the networks of a run, in place, so that state-dict keys stay as they are."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from importlib.util import find_spec

from torch import nn

from gantrans.errors import ConfigError

MODES = {"off": None, "default": "default", "max": "max-autotune-no-cudagraphs"}
_COMPILERS = ("g++", "clang++", "c++", "gcc", "cc", "clang")


def compile_networks(networks: Iterable[nn.Module], mode: str, device: str) -> None:
    """Compile each network's forward at its first call. Deep copies (the averages) are not compiled.

    mode: "default", or "max", which tries kernels out for minutes; core/graph.py captures either. Raises
    ConfigError where the machine lacks what compiling needs, instead of failing in the first step.
    """
    lacking = _lacking(device)
    if lacking:
        raise ConfigError(f"core.compile={mode}: {lacking}; or use core.compile=off")
    for network in networks:
        network.compile(mode=MODES[mode])


def _lacking(device: str) -> str:
    """What is missing here for torch.compile, and what to do about it; "" for nothing."""
    if device == "cuda" and find_spec("triton") is None:
        return "compiling for CUDA needs triton, which is not installed here; pip install triton"
    names = (os.environ.get("CXX") or "", *_COMPILERS, *(("cl",) if sys.platform == "win32" else ()))
    if not any(name and shutil.which(name) for name in names):
        return "compiling needs a C++ compiler, and none is on the PATH (g++, clang++, c++, ...); install one"
    return ""

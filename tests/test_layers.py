"""The import contract of docs/ARCHITECTURE.md: imports point down, siblings never import each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gantrans"
LAYERS = [
    {"__main__", "api"},
    {"api_checks"},
    {"cli"},
    {"build", "report"},
    {"training", "evaluation"},
    {"inference"},
    {"bundles"},
    {"core", "check"},
    {"pairs", "match"},
    {"data", "methods", "metrics"},
    {"degrade_batch"},
    {"degrade", "losses"},
    {"imaging", "nets"},
    {"durations", "kernels"},
    {"errors", "draws", "lab", "types", "words"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
TORCH_FREE = {"imaging", "degrade", "pairs", "match", "check", "draws", "errors", "durations", "words"}
WITHOUT_TORCH = ("program", "making", "forms", "forms_filters", "forms_noise", "forms_tone", "weights")
TORCH_FREE_FILES = {f"degrade_batch/{name}.py" for name in WITHOUT_TORCH} | {
    "pairs/generate.py",
    "data/splits.py",
    "cli/main.py",
    "cli/options.py",
    "build/config.py",
}
TORCH = {"torch", "torchvision", "tensorboard", "safetensors"}


def imports(tree: ast.Module) -> list[tuple[str, bool]]:
    """Every module that a file imports, and whether at run time at its top level."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node in tree.body))
        elif isinstance(node, ast.Import):
            found.extend((alias.name, node in tree.body) for alias in node.names)
    return found


def violations(place: str, source: str) -> list[str]:
    """What the file at `place` (relative to the package) imports against the contract."""
    layer = place.split("/")[0].removesuffix(".py")
    bad = []
    for module, at_top in imports(ast.parse(source)):
        root, *rest = module.split(".")
        if root == "gantrans" and rest:
            below = RANK[rest[0]] > RANK[layer]
            if not below and rest[0] != layer:
                bad.append(f"{place} imports {module}")
        torch_free = layer in TORCH_FREE or place in TORCH_FREE_FILES
        if torch_free and at_top and root in TORCH:
            bad.append(f"{place} imports {module}, but must start without torch")
        if module.startswith(("tensorboard", "torch.utils.tensorboard")) and place != "training/sinks.py":
            bad.append(f"{place} imports {module}; only training/sinks.py may")
        if root in ("hydra", "omegaconf") and layer not in ("build", "cli"):
            bad.append(f"{place} imports {module}; only build and cli may")
        if module.startswith("torchvision"):
            bad.append(f"{place} imports {module}; importing torchvision costs seconds")
    return bad


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    assert violations(path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")) == []


def test_init_files_are_empty() -> None:
    assert [str(p) for p in FILES if p.name == "__init__.py" and p.read_text(encoding="utf-8").strip()] == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("nets/unet.py", "from gantrans.losses.gan import GanLoss"),
        ("nets/unet.py", "import gantrans.training.loop"),
        ("methods/pix2pix.py", "from gantrans.data.stream import batches"),
        ("degrade/blur.py", "import torch"),
        ("degrade/blur.py", "from gantrans.degrade_batch.engine import run"),
        ("degrade_batch/making.py", "from torch import Tensor"),
        ("degrade_batch/engine.py", "from gantrans.data.stream import RawBatch"),
        ("pairs/generate.py", "from torch import Tensor"),
        ("training/loop.py", "from torch.utils.tensorboard import SummaryWriter"),
        ("training/loop.py", "from omegaconf import DictConfig"),
        ("data/dataset.py", "from torchvision.transforms import v2"),
    ],
)
def test_a_planted_violation_is_found(place: str, line: str) -> None:
    assert violations(place, line) != []


def test_allowed_imports_pass() -> None:
    source = "import numpy\nfrom gantrans.nets.unet import UNet\nfrom gantrans.training.state import State\n"
    assert violations("training/loop.py", source) == []

"""Files of pretrained weights: which there are, where they are looked for, and reading them as tensors only.

Nothing is ever downloaded, and nothing made up where a file is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gantrans.errors import CheckpointError, ConfigError

VARIABLE = "GANTRANS_WEIGHTS"


@dataclass(frozen=True)
class Weights:
    """`files`: the names it goes by, the published one first. `source`: who publishes that one."""

    files: tuple[str, ...]
    size_mib: float
    purpose: str
    source: str = "torchvision.models"


TABLE = {
    "squeezenet1_1": Weights(
        ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1_features.pth"),
        4.7,
        "SqueezeNet 1.1: the small network for lpips_squeeze, squeeze_distance and perceptual losses",
    ),
    "alexnet": Weights(("alexnet-owt-7be5be79.pth",), 233, "AlexNet: lpips_alex"),
    "vgg16": Weights(("vgg16-397923af.pth",), 528, "VGG-16: lpips_vgg and perceptual losses"),
    "vgg19": Weights(("vgg19-dcbb9e9d.pth",), 548, "VGG-19: perceptual losses and style transfer"),
    "resnet34": Weights(("resnet34-b627a593.pth",), 83, "ResNet-34: the pretrained encoder of a U-Net"),
    "inception_fid": Weights(
        ("pt_inception-2015-12-05-6726825d.pth",),
        91,
        "Inception-v3 as FID and KID are defined by",
        "pytorch-fid",
    ),
}


def find(name: str, given: str | Path | None = None) -> Path:
    """The file of `name` (a key of TABLE): `given`, a file or a folder that holds it; without `given`, in the
    folder that GANTRANS_WEIGHTS names, then where torch keeps what it once downloaded.

    Raises ConfigError that says which file is missing, its size, where it was looked for and where to put it;
    KeyError for a name that is not in TABLE.
    """
    about = TABLE[name]
    if given is not None:
        path = Path(given).expanduser()
        if path.is_file():
            return path
        folders = [path]
    else:
        folders = _usual()
    for folder in folders:
        for file in about.files:
            if (folder / file).is_file():
                return folder / file
    raise ConfigError(_missing(about, folders, given is not None))


def is_there(name: str, given: str | Path | None = None) -> bool:
    """Whether `find` finds it. A file that `given` names is one network's, and its name tells nothing."""
    if given is not None and Path(given).expanduser().is_file():
        return False
    try:
        return find(name, given).is_file()
    except ConfigError:
        return False


def _usual() -> list[Path]:
    own = os.environ.get(VARIABLE, "").strip()
    cache = Path(torch.hub.get_dir()) / "checkpoints"  # ~/.cache/torch/hub, or as TORCH_HOME says
    return [*([Path(own).expanduser()] if own else []), cache]


def _missing(about: Weights, folders: list[Path], given: bool) -> str:
    names = " or ".join(about.files)
    looked = ", ".join(str(folder) for folder in folders)
    if given and not folders[0].exists():
        looked += " (which does not exist)"
    place = "there" if given else f"in a folder that {VARIABLE}=DIR names (or in {folders[-1]})"
    return (
        f"weights are missing: {names} ({about.size_mib:g} MiB; {about.purpose}); looked in {looked}. "
        f"Nothing is downloaded for you: fetch the file that {about.source} publishes, and put it {place}"
    )


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth file by name, on the CPU; code in it is never run. Raises CheckpointError."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except Exception as error:  # whatever an unpickler can raise on a damaged file
        reason = f"{type(error).__name__} {(str(error).splitlines() or [''])[0][:100]}".strip()
        raise CheckpointError(
            f"{path}: damaged, or not a file of weights ({reason}); fetch it again"
        ) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    named = isinstance(found, dict) and found
    if not named or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, not tensors by name (a state dict)")
    return dict(found)


def fitting(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], title: str, source: str
) -> dict[str, Tensor]:
    """The values of `state` by the names in `own`, whose shapes they have; `state` may hold more.

    `title` names the network in messages, `source` the file. Raises CheckpointError for the first that is
    missing, misshapen or not finite.
    """
    for key, value in own.items():
        given = state.get(key)
        found = "nothing" if given is None else tuple(given.shape)
        if given is None or given.shape != value.shape:
            raise CheckpointError(
                f"{source}: not the weights of {title}: {key}: found {found}, expected "
                f"{tuple(value.shape)}; give torchvision's file of that network"
            )
        if not torch.isfinite(given.float()).all():
            raise CheckpointError(f"{source}: {key} holds NaN or infinite values; fetch the file again")
    return {key: state[key] for key in own}

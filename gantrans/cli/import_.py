"""gantrans import FILE.pth: turn a checkpoint of the reference family into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb, way_of
from gantrans.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from gantrans.bundles.bundle import Card

VALUED = ("--cfg", "-c", "--config-dir", "-cd")  # what follows these is no file
FORWARD, BACK = "_net_G_A.pth", "_net_G_B.pth"  # G_A: A -> B, G_B: B -> A


def run(args: list[str]) -> None:
    """The verb: read the file, tell its architecture, write the bundle. The file may come without `file=`."""
    before = ["", *args]
    first = next((i for i, arg in enumerate(args) if before[i] not in VALUED and _is_file(arg)), None)
    words = [f"file={arg}" if i == first else arg for i, arg in enumerate(args)]
    run_verb("import", words, _import)


def _is_file(arg: str) -> bool:
    return not arg.startswith("-") and ("=" not in arg or Path(arg).is_file())


def _import(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.bundles.bundle import JSON, bundle_folder, save_bundle
    from gantrans.imaging.write import storage_error
    from gantrans.nets.norm import STATISTICS

    del overrides
    file, out, way = Path(config.file).expanduser(), Path(config.out).expanduser(), way_of(config.direction)
    if config.norm_statistics not in STATISTICS:
        raise ConfigError(f"norm_statistics={config.norm_statistics}: accepted are {', '.join(STATISTICS)}")
    files = {way: file}
    if way == "to_target" and file.name.endswith(FORWARD):
        back = file.with_name(file.name.removesuffix(FORWARD) + BACK)
        files |= {"to_source": back} if back.is_file() else {}
    for chosen in files:
        there = bundle_folder(out, chosen)
        if (there / JSON).exists() and not config.overwrite:
            raise ConfigError(f"out={there} holds a bundle; choose another folder, or overwrite=true")
    # All are read before any is written: a broken second file leaves no half of a bundle.
    read = {way: _read(config, file, way)}
    if "to_source" in files and way != "to_source":
        try:
            read["to_source"] = _read(config, files["to_source"], "to_source")
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}; it was read as the way back of {file.name}, as it lies beside it: mend it, or "
                "move it away to import one way"
            ) from error
    for chosen, (network, card) in read.items():
        try:
            save_bundle(bundle_folder(out, chosen), network, card)
        except OSError as error:
            raise storage_error(bundle_folder(out, chosen), error) from error
    ways = "   (direction=to_source: the way back)" if len(files) > 1 else ""
    ways = f" direction={way}" if way == "to_source" else ways
    print(f"bundle       {out}\nyour photos  gantrans translate model={out} source=PHOTOS out=RESULTS{ways}")


def _read(config: DictConfig, path: Path, way: str) -> tuple[nn.Module, Card]:
    import hashlib

    from gantrans.bundles.bundle import Card
    from gantrans.bundles.interop import generator_of
    from gantrans.bundles.pth import read_weights
    from gantrans.nets import catalogue

    weights = read_weights(path)
    network = generator_of(weights, path)
    about = catalogue.describe(network)
    source, target = (_mode(about["arguments"][f"{side}_channels"], side, path) for side in ("in", "out"))
    provenance = {
        "imported_from": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "way": way,
    }
    card = Card(
        about,
        source,
        target,
        norm_statistics=config.norm_statistics,
        task=config.task,
        provenance=provenance,
    )
    arguments = ", ".join(f"{name}={value}" for name, value in about["arguments"].items())
    print(f"{way:<12} {path.name}: {about['name']}({arguments})")
    return network, card


def _mode(channels: int, side: str, path: Path) -> str:
    modes = {3: "rgb", 1: "grey"}
    if channels not in modes:
        raise CheckpointError(
            f"{path}: the generator has {channels} channels {side}; bundles know 3 (rgb) and 1 (grey)"
        )
    return modes[channels]

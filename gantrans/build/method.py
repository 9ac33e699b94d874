"""From a train config to its method and the networks that the method asks for."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from gantrans.build.data_kinds import channels_of
from gantrans.build.factory import make, takes, target_of
from gantrans.core.device import Core
from gantrans.core.seed import seed_torch
from gantrans.errors import ConfigError
from gantrans.kernels.conv import set_fast
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Method, Role
from gantrans.methods.cut import CUT
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.degradation import LearnedDegradation
from gantrans.methods.hybrid import Hybrid
from gantrans.methods.labelling import Labelling
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.methods.style_adain import StyleAdaIN
from gantrans.methods.style_fast import StyleFast
from gantrans.methods.superres import SuperRes
from gantrans.nets.arguments import checked
from gantrans.nets.catalogue import DISCRIMINATORS, GENERATORS
from gantrans.nets.init import init_weights
from gantrans.types import Shapes

METHODS = (Pix2Pix, CycleGAN, CUT, LearnedDegradation, Hybrid, SuperRes, Labelling, StyleFast, StyleAdaIN)
LEARNS_FROM = ("pairs", "unpaired", "hybrid")


def build_method(config: DictConfig) -> Method:
    """The method, with the restraint of its discriminators. Raises ConfigError naming the key."""
    _check_scale(config)
    options: Any = OmegaConf.to_container(config.adversary)
    try:
        restraint = Restraint(**options)
    except ValueError as error:
        raise ConfigError(f"adversary: {error}") from error
    plugins = list(config.plugins)
    target = target_of(config.method, "method", METHODS, plugins)
    given: dict[str, Any] = {"restraint": restraint} if takes(target, "restraint") else {}
    if not given and restraint != Restraint():
        raise ConfigError(f"adversary: {target.__name__} takes no restraint; leave these keys as they are")
    if takes(target, "copies"):
        given["copies"] = config.data.mask == "input" and config.data.outside == "copy"
    method = make(config.method, "method", METHODS, plugins, **given)
    if getattr(method, "learns_from", None) not in LEARNS_FROM:
        raise ConfigError(
            f"method: {target.__name__}.learns_from is {getattr(method, 'learns_from', 'missing')!r}; "
            f"accepted are {', '.join(LEARNS_FROM)}"
        )
    return method


def _check_scale(config: DictConfig) -> None:
    """Raise ConfigError for a scale that no network has, before anything is held against it."""
    ours = target_of(config.generator, "generator", GENERATORS, list(config.plugins)) in GENERATORS
    if ours and "scale" in config.generator:
        try:
            checked(scale=config.generator.scale)
        except ValueError as error:
            raise ConfigError(f"generator: {error}") from error


def build_networks(config: DictConfig, core: Core, method: Method) -> dict[str, nn.Module]:
    """The networks of the method by role, initialised from the seed and placed on the device."""
    shapes = shapes_of(config)
    networks: dict[str, nn.Module] = {}
    try:
        check = getattr(method, "check", None)
        if check is not None:
            check(shapes)
        for role in method.roles:
            seed_torch("init", config.seed, role.name)
            networks[role.name] = core.place(_build(config, role, networks, shapes))
            set_fast(networks[role.name], config.core.kernels == "auto")
        fits = getattr(method, "fits", None)
        if fits is not None:
            fits(networks)
    except ValueError as error:
        raise ConfigError(f"method: {error}") from error
    _check_crop(config.augment.crop, networks)
    return networks


def shapes_of(config: DictConfig) -> Shapes:
    """Channels and crop of each domain, as `types.Shapes`; a known mask is a channel of the source's."""
    channels = {side: channels_of(config, side) for side in ("source", "target")}
    channels["source"] += config.data.mask == "input"
    return {domain: (count, config.augment.crop) for domain, count in channels.items()}


def _build(config: DictConfig, role: Role, networks: dict[str, nn.Module], shapes: Shapes) -> nn.Module:
    plugins, channels = list(config.plugins), sum(shapes[domain][0] for domain in role.sees)
    if role.kind == "generator":
        made = {"in_channels": channels, "out_channels": shapes[role.makes][0]}
        network = _way_back(config, role, made) or make(
            config.generator, "generator", GENERATORS, plugins, **made
        )
    elif role.kind == "discriminator":
        network = make(config.discriminator, "discriminator", DISCRIMINATORS, plugins, in_channels=channels)
    elif role.build is not None:
        network = role.build(networks, shapes)
    else:
        raise ConfigError(f"method: role {role.name} is a {role.kind} and has no way to be built")
    try:
        init_weights(network, config.init.kind, config.init.gain)
    except ValueError as error:
        raise ConfigError(f"init.kind={config.init.kind}: {error}") from error
    return network


def _way_back(config: DictConfig, role: Role, made: dict[str, int]) -> nn.Module | None:
    """The generator that leads back to the source, where that of the config cannot, and names the class that
    does (a Colorizer: to grey)."""
    if role.makes != "source":
        return None
    target = target_of(config.generator, "generator", GENERATORS, list(config.plugins))
    back = getattr(target, "way_back", None)
    return None if back is None else back(**made)


def _check_crop(crop: int | None, networks: dict[str, nn.Module]) -> None:
    least = max(getattr(network, "least", 1) for network in networks.values())
    if crop is not None and crop < least:
        raise ConfigError(
            f"augment.crop={crop}: this discriminator needs {least} pixels or more; "
            "enlarge the crop or lower discriminator.layers"
        )

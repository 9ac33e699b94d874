"""How a run's steps are taken: eager or captured, compiled or not, in one part or several. Decided once."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from torch import nn

from gantrans.build.checks import check_choice
from gantrans.core.compiling import MODES, compile_networks
from gantrans.core.device import Core
from gantrans.core.graph import MODES as GRAPHS
from gantrans.core.recompute import recompute_blocks, recomputes_dropout
from gantrans.errors import ConfigError
from gantrans.methods.base import Method
from gantrans.training.job import Pace


def set_pace(config: DictConfig, core: Core, method: Method, networks: dict[str, nn.Module]) -> Pace:
    """Prepare the networks as the config asks and say how they are to be stepped. Raises ConfigError."""
    compiling, graph = _word(config.core.compile, "off"), _word(config.core.graph, "false")
    check_choice("core.compile", compiling, tuple(MODES))
    check_choice("core.graph", graph, GRAPHS)
    _check_parts(config, core)
    generators = [networks[role.name] for role in method.roles if role.kind == "generator"]
    if config.core.recompute:
        _recompute(generators, compiling)
    if compiling != "off":
        compile_networks(_compilable(config, method, networks), compiling, core.device.type)
    obstacle = _obstacle(config, core, method, networks)
    if graph == "true" and obstacle:
        raise ConfigError(f"core.graph=true: {obstacle}; use core.graph=auto or false")
    return Pace(
        graph=graph != "false" and not obstacle,
        strict=graph == "true",
        accumulate=config.train.accumulate,
        eager_because=obstacle if graph == "auto" and core.device.type == "cuda" else "",
    )


def _word(value: Any, no: str) -> str:
    """The word for a value that YAML may have read as a boolean: off, true and false are such."""
    return {True: "true", False: no}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _obstacle(config: DictConfig, core: Core, method: Method, networks: dict[str, nn.Module]) -> str:
    """Why a step of this run cannot be captured; "" where it can."""
    own = [type(x) for x in (method, *networks.values()) if type(x).__module__.split(".")[0] != "gantrans"]
    trusted = _word(config.core.graph, "false") == "true"  # who asks by name vouches for classes of their own
    generators = [networks[role.name] for role in method.roles if role.kind == "generator"]
    obstacles = {
        "the CPU has no CUDA graphs": core.device.type != "cuda",
        "core.precision=fp16 scales losses by what it found in the step before": core.precision == "fp16",
        "several processes exchange gradients within the step": core.ranks.world > 1,
        "augment.crop=null lets the images differ in size": config.augment.crop is None,
        f"{own[0].__name__ if own else ''} is a class of your own": bool(own) and not trusted,
        "core.recompute has to draw dropout again": bool(config.core.recompute)
        and any(recomputes_dropout(network) for network in generators),
    }
    return next((why for why, so in obstacles.items() if so), "")


def _check_parts(config: DictConfig, core: Core) -> None:
    parts, batch = config.train.accumulate, config.train.batch_size
    each = batch // core.ranks.world
    if parts < 1 or each % parts:
        among = f" / {core.ranks.world} processes" if core.ranks.world > 1 else ""
        divisors = ", ".join(str(n) for n in range(1, each + 1) if each % n == 0)
        raise ConfigError(
            f"train.accumulate={parts}: must divide train.batch_size={batch}{among}; accepted are {divisors}"
        )


def _recompute(generators: list[nn.Module], compiling: str) -> None:
    if compiling != "off":
        raise ConfigError(
            f"core.recompute=true with core.compile={compiling}: torch.compile decides itself what it "
            "computes again; use one of the two"
        )
    try:
        for generator in generators:
            recompute_blocks(generator)
    except ValueError as error:
        raise ConfigError(f"core.recompute=true: {error}") from error


def _compilable(config: DictConfig, method: Method, networks: dict[str, nn.Module]) -> list[nn.Module]:
    """Generators and discriminators; penalties differentiate a discriminator twice, which no compiled network
    can be."""
    twice = config.adversary.r1 > 0 or config.adversary.gradient_penalty > 0
    kinds = ("generator",) if twice else ("generator", "discriminator")
    return [networks[role.name] for role in method.roles if role.kind in kinds]

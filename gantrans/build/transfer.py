"""Transfer learning, from the keys of a train config: which weights a new run starts from, what waits and
what learns less."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from gantrans.build.checks import steps
from gantrans.build.origin import Found, discriminators_at, generators_at, took_over
from gantrans.durations import parse_duration
from gantrans.errors import CheckpointError, ConfigError
from gantrans.methods.base import Method, translators
from gantrans.training.depth import depth_groups

MOST_DECAY = 1000.0


def start_weights(
    config: DictConfig, method: Method, networks: dict[str, nn.Module]
) -> tuple[dict[str, Any], list[str]]:
    """Give the networks of a new run the weights that the config asks for, in place.

    Returns what is to be kept of their origin, as plain values, and the account of it, in lines. Raises
    ConfigError and CheckpointError where they are missing or do not fit.
    """
    path = config.train.init_from
    if path is None:
        return _encoders(networks, [role.name for role in method.roles if role.kind == "generator"])
    path = Path(path).expanduser()
    found = generators_at(path)
    ways = translators(method.roles)
    lacking = [role for way, role in ways.items() if way not in found or found[way].misfit(networks[role])]
    origin, account = _encoders(networks, lacking)  # first, so that what is taken over lies on top
    taken, lines = _taken_over(path, found, method, networks)
    return origin | taken, [*account, *lines]


def _encoders(networks: dict[str, nn.Module], generators: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The published weights of those of these generators that ask for them: origin and account."""
    origin, account = {}, []
    for role in generators:
        if getattr(networks[role], "pretrained", False):
            path, said = _pretrained(networks[role])
            origin[f"pretrained_{role}"] = {"file": path.name, "sha256": _sha256(path)}
            account.append(f"{role}: {said}")
    return origin, account


def _pretrained(network: nn.Module) -> tuple[Path, str]:
    try:
        path, said = network.load_pretrained()  # type: ignore[operator]
    except ConfigError as error:
        raise ConfigError(
            f"generator.pretrained=true: {error}; or name it by generator.weights=FILE. With "
            "generator.pretrained=false the generator learns from scratch"
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"generator.pretrained=true: {error}") from error
    return Path(path), said


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _taken_over(
    path: Path, found: dict[str, Found], method: Method, networks: dict[str, nn.Module]
) -> tuple[dict[str, Any], list[str]]:
    facts: dict[str, Any] = {"path": str(path)}
    account = []
    for way, role in translators(method.roles).items():
        if way in found:
            facts[role], lines = took_over(networks[role], found[way], role)
            account += lines
        else:
            but = ", but for its encoder" if getattr(networks[role], "pretrained", False) else ""
            account.append(f"{role}: starts anew{but}: {path} has no generator {way}")
    judges = [role.name for role in method.roles if role.kind == "discriminator"]
    saved, why = discriminators_at(path)
    for role in judges:
        if role in saved and not saved[role].misfit(networks[role]):
            facts[role], lines = took_over(networks[role], saved[role], role)
            account += lines
        else:
            reason = saved[role].misfit(networks[role]) if role in saved else why
            account.append(f"{role}: starts anew: {reason or f'{path} has none of this name'}")
    helpers = [role.name for role in method.roles if role.kind == "helper"]
    account += [f"{name}: starts anew" for name in helpers if any(True for _ in networks[name].parameters())]
    if not facts.keys() - {"path"} - set(judges):
        raise ConfigError(
            f"train.init_from={path}: holds a generator {', '.join(found)} only, and this method has "
            f"{', '.join(translators(method.roles))}"
        )
    return {"init_from": facts}, account


def freeze_steps(config: DictConfig, method: Method, networks: dict[str, nn.Module], images: int) -> int:
    """For how many steps what is pretrained waits. Raises ConfigError where nothing is, or the number is
    none."""
    text = config.train.freeze
    if text is None:
        return 0
    generators = [networks[role.name] for role in method.roles if role.kind == "generator"]
    key = f"train.freeze={text}"
    _needs_groups(key, generators)
    if config.train.init_from is None and not any(getattr(g, "pretrained", False) for g in generators):
        raise ConfigError(
            f"{key}: nothing is pretrained, so nothing should wait; use generator.pretrained=true, "
            "train.init_from=..., or train.freeze=null"
        )
    try:
        share = float(text)
    except ValueError:
        return steps(config, "train.freeze", images)
    if not 0 < share <= 1:
        raise ConfigError(f"{key}: accepted are a share of train.total, above 0 to 1, 3ep, 500step or null")
    total = parse_duration(config.train.total, "train.total")
    if total.is_time:
        raise ConfigError(
            f"{key}: is a share of steps, and train.total={config.train.total} has no number of them yet; "
            "give train.freeze in step, img or ep"
        )
    return max(1, round(share * total.steps(images, config.train.batch_size)))


def depth_decay(config: DictConfig, method: Method, networks: dict[str, nn.Module]) -> float:
    """How many times less each group of layers learns than the one behind it. Raises ConfigError."""
    decay = config.train.lr_decay_by_depth
    key = f"train.lr_decay_by_depth={decay}"
    if not 1 <= decay <= MOST_DECAY:
        raise ConfigError(f"{key}: accepted: 1 (all layers alike) to {MOST_DECAY:g}")
    if decay != 1:
        _needs_groups(key, [networks[role.name] for role in method.roles if role.kind == "generator"])
    return decay


def _needs_groups(key: str, generators: list[nn.Module]) -> None:
    if not any(len(depth_groups(generator)) > 1 for generator in generators):
        names = ", ".join(sorted({type(generator).__name__ for generator in generators}))
        raise ConfigError(
            f"{key}: {names} has no groups of layers by depth; generator=unet_resnet34 has, or leave this "
            "key as it is"
        )

"""gantrans resume RUN_DIR: go on with a run exactly where it stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.cli.train import Parts
    from gantrans.training.job import Job
    from gantrans.training.run_folder import RunFolder

HELP = """gantrans resume RUN_DIR [key=value ...]

Goes on from the newest valid checkpoint, bit for bit as if the run had never stopped (on the same kind of
device and number of threads). Keys may be changed, as train.total=200ep or val.every=1000step, except those
that alter the shape of the state: {refused}.
Also: --cfg job prints the config that would be used.
"""
REFUSED = (
    "generator",
    "discriminator",
    "method._target_",
    "method.pool",
    "method.tie",
    "method.width",
    "adversary.augment",
    "adversary.augment_p",
    "data.source_mode",
    "data.target_mode",
    "data.mask",
    "data.swap",
    "train.betas",
    "train.init_from",
    "train.lr_decay_by_depth",
    "run.dir",
)

GROUPS = ("recipe", "method", "experiment")


def run(args: list[str]) -> None:
    """The verb: open the run folder, check the changes, load the newest checkpoint, train on."""
    if "-h" in args or "--help" in args:
        print(HELP.format(refused=", ".join(REFUSED)), end="")
        return
    show = "--cfg" in args
    words = list(args)
    if show:
        at = words.index("--cfg")
        if words[at + 1 : at + 2] != ["job"]:
            raise ConfigError("--cfg: accepted is --cfg job")
        del words[at : at + 2]
    if not words or "=" in words[0] or words[0].startswith("-"):
        raise ConfigError("resume needs the run folder first: gantrans resume RUN_DIR [key=value ...]")
    bad = next((w for w in words[1:] if "=" not in w), None)
    if bad:
        raise ConfigError(f"{bad}: resume takes one folder, then key=value")
    _resume(Path(words[0]).expanduser(), words[1:], show=show)


def _resume(path: Path, overrides: list[str], *, show: bool) -> None:
    from omegaconf import OmegaConf

    from gantrans.build.config import load_config
    from gantrans.training.run_folder import open_run

    refused = [o for o in overrides if _alters_shape(o.partition("=")[0])]
    if refused:
        raise ConfigError(
            f"{', '.join(refused)}: cannot be changed on resume, as the saved state would not fit; "
            f"start a new run for that (refused: {', '.join(REFUSED)})"
        )
    group = next((o for o in overrides if o.partition("=")[0] in GROUPS), None)
    if group:
        raise ConfigError(
            f"{group}: resume changes single keys (recipe.steps=[...]), it makes no new choices"
        )
    config, added = load_config(open_run(path, lock=False).config, overrides)
    if added:
        told = ", ".join(f"{key}={'null' if value is None else value}" for key, value in added.items())
        print(
            f"note      begun by an older version; what it did not know is as usual: {told}", file=sys.stderr
        )
    _own_plugins(list(config.plugins), overrides)
    _same_history(config, overrides)
    if show:
        print(OmegaConf.to_yaml(config), end="")
        return
    _distribute(config, path, overrides)


def _distribute(config: DictConfig, path: Path, overrides: list[str]) -> None:
    """Go on in as many processes as the config asks for."""
    from gantrans.build.fleet import build_fleet
    from gantrans.cli.train import prepare
    from gantrans.cli.workers import Order, join, start
    from gantrans.core.launch import started_by_a_launcher
    from gantrans.training.run_folder import open_run

    fleet = build_fleet(config, path)
    if started_by_a_launcher():
        join(Order("resume", config, overrides, path))
        return
    if fleet.nodes > 1:
        start(Order("resume", config, overrides, path), fleet, None)
        return
    folder = open_run(path)
    try:
        if fleet.world > 1:
            start(Order("resume", config, overrides, path, locked=True), fleet, folder)
        else:
            go_on(config, folder, overrides, prepare(config))
    finally:
        folder.close()


def go_on(config: DictConfig, folder: RunFolder, overrides: list[str], parts: Parts) -> None:
    """Train from the newest checkpoint on; `overrides` have changed the config since."""
    from gantrans.build.training import build_job
    from gantrans.cli.train import fit
    from gantrans.training.clock import planned_steps
    from gantrans.training.step import set_base_rate

    core, method, data = parts
    ranks = core.ranks
    if ranks.first:
        folder.make_folders()
    saved = ranks.share(ranks.first and any(folder.checkpoints.iterdir()))
    job = build_job(config, folder, core, data, method, new=not saved)
    if saved:
        _load(job, folder)
        set_base_rate(job.state.optimizers, config.train.lr)
    _check_stop(job, overrides)
    total = planned_steps(job.total, job.state, images=len(job.train), batch_size=job.batch_size)
    finished = ranks.share(folder.read_status().get("state") == "finished")
    if finished and total is not None and job.state.step >= total:
        _say(job, f"finished  already, at step {job.state.step}; to go further give a longer train.total=...")
        return
    if overrides and ranks.first:
        folder.write("config.yaml", job.config_text)
        earlier = (
            (folder.path / "overrides.txt").read_text() if (folder.path / "overrides.txt").exists() else ""
        )
        folder.write(
            "overrides.txt", earlier + f"# resumed at step {job.state.step}\n" + "\n".join(overrides) + "\n"
        )
    _say(job, f"resuming  at step {job.state.step}")
    fit(job)


def _check_stop(job: Job, overrides: list[str]) -> None:
    """A stop that is asked for now must lie ahead."""
    asked = any(o.startswith("train.stop_at=") for o in overrides)
    if asked and job.stop_at is not None and job.stop_at <= job.state.step:
        raise ConfigError(
            f"train.stop_at={job.stop_at}step: the run is at step {job.state.step} already; "
            "give a later step, or null"
        )


def _say(job: Job, text: str) -> None:
    """Print once, whatever the number of processes; notes go to stderr."""
    if job.core.ranks.first:
        print(text, file=sys.stderr if text.startswith("note") else sys.stdout)


def _load(job: Job, folder: RunFolder) -> None:
    """Take over the newest valid checkpoint, and say what is not as it was."""
    from gantrans.training.checkpoint import load_newest

    data_now, ranks = job.state.data, job.core.ranks
    saved, state, damaged = load_newest(folder.checkpoints)
    if damaged:
        _say(job, f"note      damaged, so not used: {', '.join(damaged)}; {saved.path.name} is")
    job.state.load_state_dict(state, ranks.rank)
    if len(steps := set(ranks.exchange(saved.step))) > 1:
        raise CheckpointError(
            f"{folder.checkpoints}: the processes see different newest checkpoints (steps "
            f"{', '.join(map(str, sorted(steps)))}); all machines must see one folder, whole"
        )
    before = 1 + len(state.get("others", ()))
    if before != ranks.world:
        said = f"was saved by {before} process(es) and goes on in {ranks.world}, so not bit for bit"
        _say(job, f"note      the run {said}")
    if job.state.data != data_now:
        _say(job, "note      the training images have changed: the run goes on, but not bit for bit")
        job.state.data = data_now


def _alters_shape(key: str) -> bool:
    return any(key == refused or key.startswith(refused + ".") for refused in REFUSED)


def _same_history(config: DictConfig, overrides: list[str]) -> None:
    """A history of images (CycleGAN's pool) is made of crops of one size."""
    crop = next((o for o in overrides if o.startswith("augment.crop=")), None)
    if crop and config.method.get("pool"):
        raise ConfigError(
            f"{crop}: cannot be changed on resume, as the history of images (method.pool) holds crops of the "
            "other size; start a new run for that"
        )


def _own_plugins(plugins: list[str], overrides: list[str]) -> None:
    """A run folder may come from someone else: code it names is imported only if this command line says
    so."""
    if plugins and not any(o.startswith("plugins=") for o in overrides):
        raise ConfigError(
            f"this run uses modules of its author's: {', '.join(plugins)}; if you trust them, "
            f"add plugins=[{','.join(plugins)}]"
        )

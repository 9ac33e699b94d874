"""Which runs `gantrans board` shows, and under which names."""

from __future__ import annotations

from pathlib import Path

from gantrans.errors import CheckpointError, StorageError

ROOT = Path("runs")
EVENTS = "events.out.tfevents.*"


def find(places: list[Path]) -> dict[str, Path]:
    """Name -> run folder, of all runs that these folders are or hold. Raises CheckpointError for one that is
    and holds none."""
    found: dict[str, Path] = {}
    for place in places:
        if not place.exists():
            todo = ("train one first, or give the folders of your runs" if place == ROOT
                    else "give a folder that train printed, or one that holds such")  # fmt: skip
            raise CheckpointError(f"{place}: no such folder; {todo}")
        inside = [place] if _is_run(place) else _runs_under(place)
        if not inside:
            raise CheckpointError(
                f"{place}: neither a run folder (no config.yaml) nor one that holds runs; give the folder "
                "that train printed"
            )
        for path in inside:
            _add(found, path, place)
    if not any(has_events(path) for path in found.values()):
        raise CheckpointError(
            f"{', '.join(map(str, places))}: no curves yet (no tensorboard/{EVENTS}); they come with the "
            "first validation"
        )
    return found


def _add(found: dict[str, Path], path: Path, place: Path) -> None:
    """Under its folder's name, below that of the place that holds it; in full where two are named alike."""
    name = path.resolve().name if path == place else path.relative_to(place).as_posix()
    if found.get(name, path).resolve() != path.resolve():
        name = str(path.resolve()).strip("/")
    found[name] = path


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file() and (path / "tensorboard").is_dir()


def _runs_under(place: Path) -> list[Path]:
    """Runs in the folder and, as sweeps have them, one and two below."""
    depths = ("*/config.yaml", "*/*/config.yaml", "*/*/*/config.yaml")
    candidates = sorted(path.parent for depth in depths for path in place.glob(depth))
    return [path for path in candidates if _is_run(path)]


def has_events(run: Path) -> bool:
    return any((run / "tensorboard").glob(EVENTS))


def _flat(name: str, runs: dict[str, Path]) -> str:
    """A run inside another's folder stands beside it: below a link it would be written into that run."""
    parts = name.split("/")
    inside = any("/".join(parts[:n]) in runs for n in range(1, len(parts)))
    return "__".join(parts) if inside else name


def link(runs: dict[str, Path], folder: Path) -> None:
    """The tree that TensorBoard reads: each run's events under the run's name."""
    for name, path in runs.items():
        place = folder / _flat(name, runs)
        if place.is_symlink() or place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.symlink_to((path / "tensorboard").resolve(), target_is_directory=True)
        except OSError as error:
            raise StorageError(
                f"{place}: links cannot be made here ({error.strerror}); use tensorboard --logdir "
                f"{path / 'tensorboard'}"
            ) from error

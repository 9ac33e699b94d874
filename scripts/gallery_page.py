"""The words of docs/recipes.md: a row for every operation and every recipe, from the code and the files."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gantrans.build.config import compose_verb
from gantrans.build.places import conf_dir
from gantrans.build.recipe import build_recipe
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import Recipe

PATH = Path(__file__).resolve().parents[1] / "docs" / "recipes.md"
KINDS = {
    "blur": "Blur",
    "noise": "Noise",
    "compress": "Compression",
    "resolution": "Resolution",
    "colour": "Colour and tone",
    "cutouts": "Holes",
}  # by the module of an operation; those of all other modules are marks and damage
INTRODUCTION = """# Operations and recipes

Made by `python scripts/gallery.py` from the code and from conf/recipe: change those, not this page.

A recipe says how a clean picture is made bad, so that a model can learn the way back. Here is every
operation that a recipe can use, and every recipe that comes with gantrans. To see one on your own pictures,
step by step:

    gantrans pairs source=PHOTOS recipe=crappify preview=true

It makes one PNG and no pairs. The picture below shows each operation weak, middling and strong, mostly from
one end of its default range to the other, and three draws of each recipe. What covers the picture is shown
whole and smaller; all else is the middle, pixel for pixel.

![Every operation at three strengths, and every recipe](gallery.jpg)

## Operations

A parameter that has a range below is a number, or `[low, high]` to draw from anew for each picture; where
names are listed, give one, or a list to draw from. `_px` are pixels, `_deg` degrees, `_levels` 8-bit levels.
What is left out has its default.
"""
RECIPES = """## Recipes

A recipe is a YAML file with a name and steps, done one after another:

    name: mine
    steps:
      - gaussian_blur: {sigma_px: [0.5, 2]}
      - maybe: {p: 0.3, do: [{text_mark: {opacity: 0.8}}]}                # with that probability
      - one_of: {do: [{jpeg: {quality: [20, 60]}}, webp], weights: [3, 1]}  # one of them
      - shuffle: [gaussian_noise, low_contrast]                           # all, in an order drawn

Give it as `recipe=FILE.yaml`. These come with gantrans, in conf/recipe:
"""


def recipes() -> list[str]:
    return sorted(path.stem for path in (conf_dir() / "recipe").glob("*.yaml"))


def recipe_of(name: str) -> Recipe:
    return build_recipe(compose_verb("pairs", ["source=x", "out=y", f"recipe={name}"]).recipe, [])


def text() -> str:
    """docs/recipes.md."""
    lines = [INTRODUCTION]
    kinds: dict[str, list[str]] = {}
    for name, cls in CATALOGUE.items():
        kinds.setdefault(KINDS.get(cls.__module__.rsplit(".", 1)[1], "Marks and damage"), []).append(name)
    for kind, names in kinds.items():
        lines += [
            f"### {kind}\n",
            "| operation | what it does | parameters and their defaults |",
            "|---|---|---|",
        ]
        lines += [f"| `{name}` | {first_sentence(CATALOGUE[name])} | {defaults_of(name)} |" for name in names]
        lines.append("")
    lines += [RECIPES, "| recipe | what it makes | what to turn | operations |", "|---|---|---|---|"]
    lines += [recipe_line(name) for name in recipes()]
    return "\n".join(lines) + "\n"


def first_sentence(cls: type) -> str:
    """Of a class's docstring, on one line."""
    text = " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s+(?=[A-Z`])", text)[0].replace("|", "\\|")


def defaults_of(name: str) -> str:
    """`sigma_px` 1 to 2.5, `grey` 0.3"""
    found = inspect.signature(CATALOGUE[name]).parameters.items()
    return ", ".join(f"`{key}` {_default(parameter.default)}" for key, parameter in found) or "none"


def _default(value: Any) -> str:
    if not isinstance(value, tuple):
        return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value[0], str):
        return " / ".join(dict.fromkeys(value))
    return f"{value[0]:g} to {value[1]:g}"


def recipe_line(name: str) -> str:
    """A row of the table of recipes, from the comment that its file begins with and from its steps."""
    content = (conf_dir() / "recipe" / f"{name}.yaml").read_text(encoding="utf-8")
    head = itertools.takewhile(lambda line: line.startswith("#"), content.splitlines())
    comment = " ".join(line[1:].strip() for line in head).replace("|", "\\|")
    makes, *turn = re.split(r"(?<=\.) (?=Turn )", comment, maxsplit=1)
    recipe = recipe_of(name)
    makes += f" Sources are 1/{recipe.scale} the size." if recipe.scale > 1 else ""
    used = [key for key in _keys(yaml.safe_load(content)["steps"]) if key in CATALOGUE]
    used = ", ".join(dict.fromkeys(used)) + ("; with masks" if recipe.masked else "")
    return f"| `{name}` | {makes} | {' '.join(turn)} | {used} |"


def _keys(found: Any) -> Iterator[str]:
    """Every name in nested lists and mappings, in order; a bare word is a step without parameters."""
    if isinstance(found, str):
        yield found
    for item in found if isinstance(found, list) else []:
        yield from _keys(item)
    for key, value in found.items() if isinstance(found, dict) else []:
        yield key
        if key not in CATALOGUE:
            yield from _keys(value)

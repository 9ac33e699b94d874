"""The command line: finds the verb, runs it, turns every failure into one message and an exit code.

Nothing heavy is imported here, so that help comes at once.
"""

from __future__ import annotations

import difflib
import errno
import sys
import traceback
from importlib import import_module

from gantrans.core.threads import let_idle_threads_sleep
from gantrans.errors import GantransError

VERBS = {
    "train": "launch a training job from config; with no key at all: the demo",
    "resume": "go on with a run exactly where it stopped",
    "check": "look at a data folder as train would, before a run starts",
    "pairs": "make paired data from clean images",
    "match-recipe": "from bad images, the recipe that makes clean ones as bad",
    "translate": "apply a trained generator to an image or a folder",
    "stylize": "one picture in the style of another, without training",
    "evaluate": "measure a model, or a folder of outputs, against targets",
    "board": "open TensorBoard on runs, with the right arguments",
    "demo-ui": "a page in the browser: drop a photo, see what a model makes of it",
    "report": "runs as one HTML page: curves, pictures, figures, keys, cost",
    "doctor": "look at a run and say in plain words what went wrong",
    "import": "turn a .pth of the pix2pix, CycleGAN or CUT code into a bundle",
    "export": "write a model as ONNX, torch.export program or reference .pth",
    "completion": "print a script that completes verbs and keys in bash, zsh or fish",
}
MODULES = {
    "import": "import_",
    "match-recipe": "match_recipe",
    "demo-ui": "demo_ui",
}  # no keyword or hyphen in a module's name
USAGE = """gantrans: translate one kind of image into another, with GANs.

usage: gantrans VERB key=value ...
       gantrans VERB --help        every key of a verb, its default and what it does
       gantrans VERB --cfg job     the config that would be used, without doing anything
                                   (all but board, doctor and completion, which have none)

verbs:
{verbs}

A first run, on sample images:   gantrans train
What train would say of it:      gantrans check data.root=DIR
Your photos made into pairs:     gantrans pairs source=PHOTOS out=PAIRS recipe=crappify
A model that undoes it:          gantrans train experiment=restore data.root=PAIRS
Two folders that are no pairs:   gantrans train experiment=cyclegan data.root=HORSES data.targets=ZEBRAS
Use it:                          gantrans translate model=RUN source=IMAGES out=RESULTS

exit codes: 0 done, 1 a bug of ours, 2 usage or config, 3 no usable data, 4 checkpoint refused,
            5 disk full or I/O, 6 run folder busy, 7 diverged, 130/143 interrupted, saved
"""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DISK = _FULL | {errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
# Only with a file's name are these about the user's files.
_PATH = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    let_idle_threads_sleep()
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(
            USAGE.format(verbs="\n".join(f"    {verb:<14}{about}" for verb, about in VERBS.items())), end=""
        )
        return 0
    if args[0] == "--version":
        from importlib.metadata import version

        print(version("gantrans"))
        return 0
    verb, rest = args[0], args[1:]
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        return _fail("usage", f"no verb {verb!r}" + (f"; did you mean {near[0]}?" if near else "")
                     + f" Verbs: {', '.join(VERBS)}", 2)  # fmt: skip
    return _run(verb, rest)


def _run(verb: str, args: list[str]) -> int:
    try:
        import_module(f"gantrans.cli.{MODULES.get(verb, verb)}").run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("interrupted", "stopped at once", 130)
    except BrokenPipeError:  # the reader of our output has gone, as in `gantrans train --help | head`
        sys.stderr.close()
        return 0
    except Exception as error:
        told = explain(error, verb)
        return _fail(*told) if told else _bug(error)
    return 0


def explain(error: Exception, verb: str) -> tuple[str, str, int] | None:
    """Title, message and exit code of what a user can mend; None for a bug of ours."""
    if isinstance(error, GantransError):
        return error.title, str(error), error.exit_code
    if isinstance(error, OSError):
        if error.errno in _DISK or (error.errno in _PATH and error.filename):
            return "storage error", _storage(error), 5
        return None
    if "have a deterministic implementation" in str(error):
        return ("config error", "core.deterministic=true: " + str(error).split(". ")[0]
                + "; use core.deterministic=false or core.device=cpu", 2)  # fmt: skip
    return ("out of memory", _memory(error, verb), 1) if _is_memory(error) else None


def _storage(error: OSError) -> str:
    todo = "free some space, or choose another folder" if error.errno in _FULL else "choose another folder"
    return f"{error.filename or 'the disk'}: {error.strerror}; {todo}"


def _is_memory(error: BaseException) -> bool:
    """Torch's errors are known by their words, as torch itself is not imported here."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def _memory(error: BaseException, verb: str) -> str:
    """What was asked for, in torch's first sentence, and what to do."""
    training = verb in ("train", "resume")
    todo = "lower train.batch_size or augment.crop, or use core.device=cpu" if training else (
        "use smaller images" + (" or device=cpu" if verb == "translate" else ""))  # fmt: skip
    return f"{(str(error).splitlines() or ['no more to be had'])[0].split('. ')[0]}; {todo}"


def _bug(error: BaseException) -> int:
    traceback.print_exception(error)
    return _fail("bug", "this is a mistake of gantrans, not yours; please report the lines above", 1)


def _fail(title: str, message: str, code: int) -> int:
    print(f"gantrans: {title}: {message}", file=sys.stderr)
    return code

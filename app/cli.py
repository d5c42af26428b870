"""The command line: `simplicits-studio COMMAND ...`; without a command, the window with the demo scene."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence

import tyro

COMMANDS = {
    "view": "the window on a scene or a mesh",
    "train": "learn the handles of a mesh or of a scene's bodies",
    "record": "make a video of a scene; needs no display",
    "replay": "show a recorded motion again, at another size or rate",
    "export": "write moving geometry for other tools",
    "compare": "optimizers side by side: quality against time",
    "doctor": "versions, devices, what is missing and how to get it",
}
PROGRAM = "simplicits-studio"
# What is left out is left out: nobody has to write None, or --no- before a flag that is off anyway.
_STYLE = (tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: without the program's name; the process's own when None.

    Returns:
        The exit status: 0, or 2 with one plain message on stderr, or 130 when interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "view"
    if name not in _available():
        print(f"Unknown command {name!r}.\n\n{_usage()}", file=sys.stderr)
        return 2
    run = importlib.import_module(f"app.commands.{name}").run
    try:
        status = tyro.cli(
            run, prog=f"{PROGRAM} {name}", description=_description(run), args=arguments, config=_STYLE
        )
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        # Not above: with sim comes torch, and the window is on screen before that is read.
        from sim.errors import Cancelled, StudioError

        if not isinstance(error, StudioError):
            raise
        print(error, file=sys.stderr)
        return 130 if isinstance(error, Cancelled) else 2
    return int(status or 0)


def _description(run: Callable[..., int]) -> str:
    """What a command says of itself, less its arguments: those are listed below."""
    return inspect.cleandoc(run.__doc__ or "").split("\nArgs:")[0].strip()


def _available() -> list[str]:
    return [name for name in COMMANDS if importlib.util.find_spec(f"app.commands.{name}")]


def _usage() -> str:
    lines = [f"  {name:<9}{COMMANDS[name]}" for name in _available()]
    return "\n".join([f"usage: {PROGRAM} COMMAND [options]; COMMAND --help tells more", "", *lines])


if __name__ == "__main__":
    sys.exit(main())

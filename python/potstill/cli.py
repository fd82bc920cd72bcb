"""The `potstill` command: one parser, errors and exit codes; the commands themselves are in `commands/`.

Exit codes: 0 done, 1 the work failed, 2 usage or bad input, 130 interrupted. Errors go to stderr as
``error[CODE]: what; where; next step``. A board's wheel has no commands that make models; each of them says so there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence

from potstill.commands import BUILD_COMMANDS, parts
from potstill.commands.streams import prepare_output
from potstill.errors import EXIT_FAILED, PotstillError, SystemFailure
from potstill.work.wheel import builds_models

EXIT_INTERRUPTED = 130

Handler = Callable[[argparse.Namespace], int]
_WHOLE = (
    "Distil a Hugging Face encoder, compile it into one .still file and run it on a Pi-class board.",
    "examples:\n  potstill build sentiment\n  potstill run build/sentiment/model.still 'a lovely film'\n\n"
    "what an error code means: potstill explain CODE",
)
_BOARD = (
    "Run .still files on this board, measure and examine them.",
    "examples:\n  potstill run model.still 'a lovely film'\n  potstill doctor\n\n"
    "what an error code means: potstill explain CODE\n\n"
    f"not in a board's wheel, to be run on the machine that builds:\n  {', '.join(BUILD_COMMANDS)}",
)


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The whole parser, and that of each command."""
    import potstill

    description, epilog = _WHOLE if builds_models() else _BOARD
    parser = argparse.ArgumentParser(
        prog="potstill",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"potstill {potstill.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, handler: Handler, summary: str, *examples: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(handler=handler)
        return sub

    for part in parts():
        part.add(command)
    return parser, dict(commands.choices)


def _parsed(words: list[str]) -> argparse.Namespace:
    """The arguments; exits with 2, and the nearest word that there is, for a command or an option that there is not."""
    parser, commands = _parser()
    if words and not words[0].startswith("-") and words[0] not in commands:
        known = list(dict.fromkeys([*commands, *BUILD_COMMANDS]))
        parser.error(f"there is no command {words[0]!r}{_nearest(words[0], known)}\ncommands: {', '.join(known)}")
    args, unknown = parser.parse_known_args(words)
    if unknown:
        own = commands[args.command]
        first = unknown[0].partition("=")[0]
        if not first.startswith("-"):
            own.error(f"one argument too many: {unknown[0]!r}")
        own.error(f"there is no option {first!r}{_nearest(first, options_of(own))}")
    return args


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of a command, in the order of its help."""
    return [word for word in parser.format_usage().replace("[", " ").replace("]", " ").split() if word.startswith("--")]


def _nearest(word: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    prepare_output()
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in BUILD_COMMANDS and not builds_models():
        from potstill.errors import not_in_this_wheel

        print(not_in_this_wheel(f"the command {words[0]}", f"potstill {words[0]}"), file=sys.stderr)
        return EXIT_FAILED
    args = _parsed(words)
    handler: Handler = args.handler
    try:
        code = handler(args)
        print(end="", flush=True)  # so that a reader who is gone is noticed here
        return code
    except PotstillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`... | head`): not a failure of ours; keep Python from flushing again.
        _drop_output()
        return 0
    except OSError as error:  # nowhere told better: often the disk that our output goes to is full
        return _failed(error)
    except ImportError as error:
        from potstill.errors import missing_module

        print(missing_module(error, "build", f"potstill {args.command}"), file=sys.stderr)
        return EXIT_FAILED


def _failed(error: OSError) -> int:
    where, step = "standard output", "make room or send the output elsewhere"
    if error.filename is None:
        _drop_output()
    else:
        where, step = os.fsdecode(error.filename), "check the path, its permissions and the disk"
    print(SystemFailure("S003", f"the system reported: {error.strerror or error}", where, step), file=sys.stderr)
    return EXIT_FAILED


def _drop_output() -> None:
    """Keep Python from writing the rest at its end, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

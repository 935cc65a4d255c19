"""Finds the module of a verb, and turns what goes wrong in it into one line and an exit status.

A verb's function returns its exit status. Its module is imported only when it is asked for: those in
`commands/offline` never load an AWS library.
"""

import sys
from collections.abc import Container, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from handshakectl.errors import EXIT_BAD_INPUT, EXIT_NO, BadInput

_OFFLINE = ("validate", "simulate", "compare")
_VERBS = (*_OFFLINE, "pending", "push", "remove", "pull", "brake", "run", "doctor", "status", "verify")


class Verbs(TyperGroup):
    """All verbs of handshakectl."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer keeps its Context's base private
        """The verbs in the order of a day's work."""
        return list(_VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The verb's command, from its own module."""
        if cmd_name not in _VERBS:
            return None
        room = "commands.offline" if cmd_name in _OFFLINE else "commands"
        command = get_command(import_module(f"handshakectl.{room}.{cmd_name}").app)
        command.name = cmd_name
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a verb and exits with its status."""
        try:
            status = super().main(args, "handshakectl", complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            where = context.command_path if context else "handshakectl"
            status = _bad(f"{error.format_message()} (see {where} --help)", where)
        except BadInput as error:
            status = _bad(str(error))
        except typer.Abort:
            status = _say("stopped", EXIT_NO)
        except BrokenPipeError:
            # Whoever read our output has gone: say nothing more, not even while the interpreter ends.
            sys.stdout = None
            status = EXIT_NO
        except _aws_failures() as error:
            from handshakectl.failures import explained

            status = _bad(explained(error))
        sys.exit(status)


class ManyValues(TyperCommand):
    """A command whose options that may be repeated take every value up to the next option, too; `--` ends them."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Writes the option's name before each of its values, as the parser below wants it."""
        many = {name for each in self.params if getattr(each, "multiple", False) for name in each.opts}
        return super().parse_args(ctx, _repeated(many, args))


def _repeated(options: Container[str], args: Sequence[str]) -> list[str]:
    written: list[str] = []
    option = ""
    for arg in args:
        if arg.startswith("-") and arg != "-":
            name = arg.partition("=")[0]
            option = name if name in options else ""
        elif option and written[-1] != option:
            written.append(option)
        written.append(arg)
    return written


def _aws_failures() -> tuple[type[Exception], ...]:
    """Everything that a call to AWS raises; evaluated only once something was raised."""
    if "botocore" not in sys.modules:
        return ()
    from handshake_core.retry import READ_FAILURES

    return READ_FAILURES


def _bad(message: str, where: str = "handshakectl") -> int:
    return _say(f"{where}: {' '.join(message.split())}", EXIT_BAD_INPUT)


def _say(line: str, status: int) -> int:
    typer.echo(line, err=True)
    return status

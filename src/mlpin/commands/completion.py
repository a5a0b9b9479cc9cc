"""`mlpin completion`: a script with which a shell completes mlpin's commands, options and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mlpin.commands.streams import say

SHELLS = ("bash", "zsh", "fish", "tcsh")
DESCRIPTION = """\
Prints a script for a shell. To install it:

bash  mlpin completion bash > ~/.local/share/bash-completion/completions/mlpin
      (or in ~/.bashrc: eval "$(mlpin completion bash)")
zsh   mlpin completion zsh > DIRECTORY/_mlpin
      (a DIRECTORY of $fpath, before compinit runs)
fish  mlpin completion fish > ~/.config/fish/completions/mlpin.fish
tcsh  mlpin completion tcsh > ~/.mlpin.tcsh
      (and `source ~/.mlpin.tcsh` in ~/.tcshrc)
"""
_FILES = {"PATH", "FILE", "PLACE", "FILE|DIR", "OLD", "NEW", "LOCK", "PATH | NAME | REQUIREMENT"}
"""What help texts call an argument that is a file, or may be one."""
_DIRECTORIES = {"DIR", "DIRECTORY"}


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> int:
    """Print the script, and the exit code."""
    import shtab

    from mlpin import cli

    parser = cli.parser(cli.COMMANDS)
    for action in _actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
        elif action.metavar in _DIRECTORIES:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    say(shtab.complete(parser, options.shell).rstrip("\n") + "\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and arguments, those of the commands too."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask for them; shtab takes it too
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action

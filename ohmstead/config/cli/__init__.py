"""The command line. A command is imported when it is used, and so is what it needs: `run` starts, `--help` answers at once."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from ohmstead import __version__

COMMANDS = {  # in which module of this folder the commands are
    "run": ("run", "reload"),
    "demo": ("demo", "simulate"),
    "folder": ("init", "check", "token"),
    "things": ("plugins", "devices", "discover", "dead-letters", "jobs"),
    "files": ("import", "backup", "restore"),
    "exports": ("export",),
    "ledger": ("meter-points", "intervals", "ledger"),
    "corrections": ("corrections", "findings"),
    "bills": ("contracts", "bill"),
    "reconcile": ("reconcile",),
    "tariffs": ("tariffs", "price"),
    "alerts": ("rules", "alerts"),
    "automations": ("automations",),
    "backtest": ("backtest",),
    "notify": ("notify",),
    "audit": ("audit",),
}
MODULES = {name: module for module, names in COMMANDS.items() for name in names}


class Commands(click.Group):
    """A group whose commands are functions of the modules above, of the same name."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(MODULES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in MODULES:
            return None
        module = import_module(f"{__name__}.{MODULES[name]}")
        function = "import_" if name == "import" else name.replace("-", "_")  # `import` is a word of Python's
        return getattr(module, function)  # type: ignore[no-any-return]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="ohmstead")
@click.option("-c", "--config", "config", type=click.Path(file_okay=False, path_type=Path), envvar="OHMSTEAD_CONFIG",
              default=Path("ohmstead-config"), show_default="./ohmstead-config, or $OHMSTEAD_CONFIG", metavar="DIR",
              help="Folder of the configuration and the data.")  # fmt: skip
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Ohmstead, a self-hosted energy hub."""
    context.obj = config


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 fine, 2 the user's mistake, 1 ours."""
    try:
        sys.exit(cli.main(arguments, prog_name="ohmstead", standalone_mode=False))  # the code of an Exit, else None
    except click.ClickException as mistake:
        mistake.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `ohmstead devices | head`
        sys.stderr.close()
        sys.exit(0)
    except _on_purpose() as error:  # looked up when something was raised, and not before
        click.echo(str(error), err=True)
        sys.exit(_code(error))


def _on_purpose() -> type[Exception]:
    """What we raise on purpose, with a text for people; anything else is a bug and shows its traceback."""
    from ohmstead.core.errors import OhmsteadError

    return OhmsteadError


def _code(error: Exception) -> int:
    from ohmstead.core.errors import Unavailable

    return 1 if isinstance(error, Unavailable) else 2

"""The command line. Commands import what they need when they run, so that `ohmstead --help` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ohmstead import __version__
from ohmstead.config.cli import (
    alerts,
    audit,
    automations,
    backtest,
    bills,
    corrections,
    demo,
    exports,
    files,
    folder,
    ledger,
    notify,
    reconcile,
    run,
    tariffs,
    things,
)

COMMANDS = (run.run, demo.demo, demo.simulate, folder.init, folder.check, run.reload, folder.token, things.plugins, things.devices,
            things.discover, files.import_, exports.export, ledger.meter_points, ledger.intervals, ledger.ledger,
            bills.contracts, bills.bill, reconcile.reconcile, tariffs.tariffs, tariffs.price, corrections.corrections, corrections.findings,
            alerts.rules, alerts.alerts, automations.automations, backtest.backtest,
            things.dead_letters, things.jobs,
            notify.notify, audit.audit, files.backup, files.restore)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="ohmstead")
@click.option("-c", "--config", "config", type=click.Path(file_okay=False, path_type=Path), envvar="OHMSTEAD_CONFIG",
              default=Path("ohmstead-config"), show_default="./ohmstead-config, or $OHMSTEAD_CONFIG", metavar="DIR",
              help="Folder of the configuration and the data.")  # fmt: skip
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Ohmstead, a self-hosted energy hub."""
    context.obj = config


for command in COMMANDS:
    cli.add_command(command)


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

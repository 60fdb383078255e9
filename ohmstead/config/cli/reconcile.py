"""`ohmstead reconcile INVOICE`: a supplier's invoice against what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.files import pairs
from ohmstead.config.cli.output import as_json

if TYPE_CHECKING:
    from ohmstead.config.cli.api import Api

FORMS = {".csv": "csv", ".txt": "text", ".html": "html", ".htm": "html"}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("invoice")
@click.option("--contract", metavar="ID", help="The contract it is of, where the file does not say.")
@click.option("--dry-run", is_flag=True, help="Do not keep the invoices of a file.")
@click.option("--tolerance-kwh", help="Energy that may differ, in kWh.")
@click.option("--tolerance-amount", help="Money that may differ on each line.")
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it as .csv, .txt or .html, to send.")
@as_json
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE FORMAT]...")
@click.pass_obj
def reconcile(config: Path, /, invoice: str, file: Path | None, json_: bool, dry_run: bool, more: tuple[str, ...], **given: Any) -> None:
    """Compare INVOICE, a file (YAML, CSV, Green Button) or the id of one that is kept, and say why it differs.

    The exit is 1 where one does not agree.
    """
    from ohmstead.config.cli.api import opened

    if file is not None and file.suffix.lower() not in FORMS:
        raise click.UsageError(f"{file}: expected a name that ends with {', '.join(FORMS)}")
    source = Path(invoice)
    if not source.is_file() and source.name != invoice:
        raise click.UsageError(f"{source}: is a folder; give a file in it" if source.is_dir() else f"{source}: there is no such file")
    with opened(config) as api:
        targets = list(_of_file(api, config, source, given, more, dry_run)) if source.is_file() else [(invoice, None)]
        found = [_compared(api, *target) for target in targets]
        texts = [_letter(api, *target, "text" if file is None else FORMS[file.suffix.lower()]) for target in targets if not json_ or file]
    if file is not None:
        try:
            file.write_text("".join(texts), encoding="utf-8")
        except OSError as error:
            raise output.unwritable(file, error) from None
    output.data(found, json_, lambda _: click.echo("\n".join(texts) if file is None else f"wrote {file}"))
    if not all(each["agrees"] for each in found):
        raise click.exceptions.Exit(1)


def _of_file(
    api: Api, config: Path, source: Path, given: dict[str, Any], more: tuple[str, ...], dry_run: bool
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The invoices of a file: kept ones by their ids, or else their bodies."""
    for body in _bodies(config, source, pairs(more)):
        whole = {**body, **({"contract": given["contract"]} if given["contract"] else {})}
        tolerance = {name: given[f"tolerance_{name}"] for name in ("kwh", "amount") if given[f"tolerance_{name}"] is not None}
        if tolerance:
            whole["tolerance"] = {**whole.get("tolerance", {}), **tolerance}
        if not dry_run:
            _keep(api, whole)
        yield (whole.get("id", ""), whole if dry_run else None)


def _keep(api: Api, body: dict[str, Any]) -> None:
    """Enter it, or enter it anew."""
    known = {each["id"] for each in api.listing("/invoices")}
    if body.get("id") in known:
        api.call("PUT", f"/invoices/{body['id']}", body=body)
    else:
        api.call("POST", "/invoices", body=body)


def _bodies(config: Path, source: Path, options: dict[str, str]) -> Iterator[dict[str, Any]]:
    from ohmstead.config.cli import readings as work
    from ohmstead.core.errors import ConfigError
    from ohmstead.core.plugin import Into, InvoiceRow

    if source.suffix.lower() in (".yaml", ".yml"):
        yield from _yaml(source)
        return
    importer = work.choose(work.importers(config, Into.INVOICES), source, options.pop("format", None))
    found = list(work.read(importer, source, work.checked(importer, options)))
    mistakes = [f"{source}: {each}" for each in found if isinstance(each, str)]
    if mistakes:
        raise ConfigError(mistakes)
    yield from (dict(each.body) for each in found if isinstance(each, InvoiceRow))


def _yaml(source: Path) -> Iterator[dict[str, Any]]:
    from ohmstead.config.yaml_file import read_file
    from ohmstead.core.errors import ConfigError

    document = read_file(source)
    if document.problems:
        raise ConfigError([str(problem) for problem in document.problems])
    for each in document.data if isinstance(document.data, list) else [document.data]:
        if not isinstance(each, dict):
            raise ConfigError(f"{source}: expected an invoice with id, contract, start, end and what it bills, or a list of such")
        yield _plain(each)


def _plain(value: Any) -> Any:
    """Days and instants that YAML knows, as texts again; so is what is too large for a number, for the hub to refuse."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _compared(api: Api, slug: str, body: dict[str, Any] | None) -> dict[str, Any]:
    method, path = _place(slug, body)
    found: dict[str, Any] = api.call(method, path, body=body)
    return found


def _letter(api: Api, slug: str, body: dict[str, Any] | None, form: str) -> str:
    with closing(api.file(*_place(slug, body), {"format": form}, body)) as pieces:
        return b"".join(pieces).decode()


def _place(slug: str, body: dict[str, Any] | None) -> tuple[str, str]:
    return ("GET", f"/invoices/{slug}/reconciliation") if body is None else ("POST", "/invoices/check")

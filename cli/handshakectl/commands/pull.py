"""`handshakectl pull`: the policy documents of Parameter Store as files."""

from pathlib import Path
from typing import Annotated

import typer

from handshakectl.account.session import Aws
from handshakectl.clock import clock
from handshakectl.errors import EXIT_NO, EXIT_YES, BadInput
from handshakectl.options import Json, Prefix, Profile, Region, prefix
from handshakectl.output import complain, say, say_json
from handshakectl.policy.parameters import Parameters, read

app = typer.Typer(add_completion=False)


@app.command()
def pull(
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the files are written.")] = Path("policy"),
    force: Annotated[bool, typer.Option("--force", help="Write over files that differ.")] = False,
    profile: Profile = None,
    region: Region = None,
    path: Prefix = None,
    as_json: Json = False,
) -> int:
    """Write each policy document to DIR/NAME.json, or print them all with --json.

    Exit status 1, and nothing written, if a file differs and --force is not given.
    """
    where = prefix(path)
    parameters = read(Aws(profile, region).client("ssm"), clock(), where)
    documents = {name.removeprefix(f"{where}policy/"): raw for name, raw in parameters.documents().items()}
    secret = sorted(name for name, raw in documents.items() if raw.get("Type") != "String")
    if as_json:
        rows = [{"name": n, "version": raw.get("Version"), "text": raw["Value"]} for n, raw in documents.items()]
        say_json({"mode": parameters.mode, "documents": [row for row in rows if row["name"] not in secret]})
    else:
        texts = {_file(folder, name): raw["Value"] for name, raw in documents.items() if name not in secret}
        if not _write(texts, force):
            return EXIT_NO
        say(_mode(parameters))
    for name in secret:
        complain(f"{where}policy/{name}: not pulled: the parameter's type must be String")
    return EXIT_NO if secret else EXIT_YES


def _write(texts: dict[Path, str], force: bool) -> bool:
    """Writes all files or none; False if one differs and may not be written over."""
    try:
        new = {
            file: text.encode()
            for file, text in texts.items()
            if not file.exists() or file.read_bytes() != text.encode()
        }
        differing = [file for file in new if file.exists()]
        if differing and not force:
            for file in differing:
                complain(f"{file}: differs from Parameter Store; nothing was written; use --force to write over it")
            return False
        for file, content in new.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be written: {error.strerror}") from error
    for file in texts:
        say(f"{file}: {'written' if file in new else 'unchanged'}")
    return True


def _file(folder: Path, name: str) -> Path:
    """The file of a document: `team/a` is `team/a.json` in the folder. No name leads out of it."""
    # Parameter Store takes names made of dots, which a file system reads as a way out; it takes no % itself.
    parts = [part if part.strip(".") else part.replace(".", "%2E") or "%" for part in name.split("/")]
    file = folder.joinpath(*parts[:-1], f"{parts[-1]}.json")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{file}: is outside {folder}, through a symbolic link")
    return file


def _mode(parameters: Parameters) -> str:
    if parameters.mode is None:
        return "mode: there is none, which is observe: nothing is accepted"
    return f"mode: {parameters.mode}"

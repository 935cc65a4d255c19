"""Reads the files that a person names. What cannot be read is bad input; what is in them is judged elsewhere."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from handshake_acceptor.policy.documents import Document
from handshake_core.json_reader import NotReadable, read_strictly
from handshakectl.errors import BadInput


def read_text(path: Path) -> str:
    """The file's exact text; `-` is standard input."""
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: cannot be read: not UTF-8 text, at byte {error.start}") from error
    except ValueError as error:  # a name with a null in it
        raise BadInput(f"{path!s:.80}: cannot be read: {error}") from error


def read_documents(paths: Iterable[Path]) -> list[Document]:
    """Policy documents, each named as the person named it."""
    return [Document(str(path), read_text(path)) for path in paths]


def read_json(path: Path) -> Any:
    """The file's content, which must be JSON that has every key once."""
    try:
        return read_strictly(read_text(path).removeprefix("\ufeff"))
    except NotReadable as error:
        raise BadInput(f"{path}: {error}") from error

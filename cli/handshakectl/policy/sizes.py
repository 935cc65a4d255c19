"""How large a document may be. A standard parameter holds 4 KB, an advanced one 8 KB. [Parameter Store, quotas]"""

from collections.abc import Iterable

from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import Document

MAX_BYTES = 8192
"""The most that an advanced parameter holds."""

STANDARD_BYTES = 4096
"""The most that a standard parameter holds, which costs nothing."""


def too_long(documents: Iterable[Document]) -> InvalidPolicy | None:
    """A mistake for each document that no parameter can hold, if there is one."""
    text = f"bytes; a parameter holds {MAX_BYTES} (8 KB): split it, the documents are taken together"
    errors = tuple(PolicyError(each.name, "", f"{_size(each)} {text}") for each in documents if _size(each) > MAX_BYTES)
    return InvalidPolicy.together(InvalidPolicy(errors)) if errors else None


def longish(documents: Iterable[Document]) -> list[PolicyError]:
    """A warning for each document that only an advanced parameter can hold."""
    text = (
        f"bytes; over {STANDARD_BYTES} (4 KB) it takes an advanced parameter, which AWS bills by the month and by the"
        " read, and which stays one until it is removed; or split it"
    )
    return [
        PolicyError(each.name, "", f"{_size(each)} {text}")
        for each in documents
        if STANDARD_BYTES < _size(each) <= MAX_BYTES
    ]


def _size(document: Document) -> int:
    return len(document.text.encode())

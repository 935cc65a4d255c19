"""How large a document may be: no longer than a parameter holds."""

from collections.abc import Iterable

from handshake_acceptor.policy.decide import InvalidPolicy, PolicyError
from handshake_acceptor.policy.documents import MOST_BYTES, STANDARD_BYTES, Document


def too_long(documents: Iterable[Document]) -> InvalidPolicy | None:
    """A mistake for each document that no parameter can hold, if there is one."""
    text = f"bytes; a parameter holds {MOST_BYTES} (8 KB): split it, the documents are taken together"
    errors = tuple(
        PolicyError(each.name, "", f"{_size(each)} {text}") for each in documents if _size(each) > MOST_BYTES
    )
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
        if STANDARD_BYTES < _size(each) <= MOST_BYTES
    ]


def _size(document: Document) -> int:
    return len(document.text.encode())

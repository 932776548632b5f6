"""What goes back: an answer, or a sentence that says why there is none."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """An answer that is ready to be sent.

    Attributes:
        status: of HTTP.
        body: JSON, in UTF-8.
    """

    status: int
    body: bytes


class RequestError(Exception):
    """Says why a request is not answered.

    Attributes:
        status: of HTTP.
        kind: a word for programs, such as `invalid_request`.
        message: a sentence for people.
        headers: that go with the answer.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """Make the answer that says it, in the shape of OpenAI's errors."""
        error = {"message": self.message, "type": self.kind}
        return Answer(self.status, to_json({"error": error}))


def to_json(value: Any) -> bytes:
    """Write JSON; half a surrogate pair, which UTF-8 cannot hold, as a question mark.

    Raises:
        ValueError: a number is none, or infinite.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")

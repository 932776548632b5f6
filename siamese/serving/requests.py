"""What may be asked, and how much at once: JSON -> a request, or a refusal in a sentence."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from siamese.search.arguments import DEFAULT_K
from siamese.serving.answer import RequestError

# Bytes of a request's body.
MOST_BODY = 4 << 20
# Texts of a request: as many as OpenAI takes.
MOST_TEXTS = 2048
# Characters of a text. An encoder reads far fewer, and cuts the rest.
MOST_CHARACTERS = 10_000
# Similarities or hits that a request may ask for.
MOST_RESULTS = 20_000


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if not value.strip():
        raise ValueError("is empty: write a text")
    if len(value) > MOST_CHARACTERS:
        raise _too_much(f"a text has {len(value):,} characters", MOST_CHARACTERS)
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("must be a list of texts")
    if not value:
        raise ValueError("is an empty list: give at least one text")
    if len(value) > MOST_TEXTS:
        raise _too_much(f"a list has {len(value):,} texts", MOST_TEXTS)
    for number, text in enumerate(value, start=1):
        try:
            _text(text)
        except ValueError as error:
            raise ValueError(f"text {number} of the list {error}") from None
    return value


def _text_or_texts(value: Any) -> str | list[str]:
    if isinstance(value, list):
        return _texts(value)
    if not isinstance(value, str):
        raise ValueError("must be a text or a list of texts")
    return _text(value)


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[str], BeforeValidator(_texts)]
TextOrTexts = Annotated[str | list[str], BeforeValidator(_text_or_texts)]


class Request(BaseModel):
    """Holds what every request has in common: exact types, and no field that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EmbeddingsRequest(Request):
    """Asks for embeddings, as OpenAI's clients do.

    Attributes:
        input: a text, or several.
        model: a name; whatever it is, the one model of this server answers.
        encoding_format: lists of numbers, or float32 in little-endian order as base64.
        dimensions: the size that is expected of an embedding.
        user: what such clients say of their user; it makes no difference.
    """

    input: TextOrTexts
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)
    user: str | None = None


class SimilarityRequest(Request):
    """Asks how similar texts are.

    Attributes:
        text1: a text, or several.
        text2: a text, or several; each is compared with each of `text1`.
    """

    text1: TextOrTexts
    text2: TextOrTexts

    @model_validator(mode="after")
    def _is_bounded(self) -> "SimilarityRequest":
        ones, others = (1 if isinstance(t, str) else len(t) for t in (self.text1, self.text2))
        if ones * others > MOST_RESULTS:
            raise _too_much(
                f"{ones:,} texts with {others:,} are {ones * others:,} similarities", MOST_RESULTS
            )
        return self


class SearchRequest(Request):
    """Asks for the entries of the index that mean the same.

    Attributes:
        query: a text; or
        queries: several.
        k: hits for each, at most; None: 5, or as many as there are.
        threshold: hits are more similar than that; None: the index's own.
    """

    query: Text | None = None
    queries: Texts | None = None
    k: int | None = Field(None, ge=1)
    threshold: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_one(self) -> "SearchRequest":
        if (self.query is None) == (self.queries is None):
            raise ValueError("give either `query`, a text, or `queries`, a list of texts")
        wanted = len(self.texts) * (self.k or DEFAULT_K)
        if wanted > MOST_RESULTS:
            raise _too_much(f"{len(self.texts):,} queries ask for {wanted:,} hits", MOST_RESULTS)
        return self

    @property
    def texts(self) -> list[str]:
        """Return the queries, one or several."""
        return [self.query] if self.query is not None else (self.queries or [])


class ExplainRequest(Request):
    """Asks what each character adds to the similarity of two texts.

    Attributes:
        text1: a text.
        text2: another one.
    """

    text1: Text
    text2: Text


AnyRequest = TypeVar("AnyRequest", bound=Request)


def parse(kind: type[AnyRequest], body: bytes) -> AnyRequest:
    """Read the body of a request.

    Args:
        kind: of the request.
        body: JSON.

    Raises:
        RequestError: it is no JSON (400), not such a request (422), or asks for too much (413).
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _refused(kind, error) from None


def _refused(kind: type[Request], error: ValidationError) -> RequestError:
    """Say in a sentence what is wrong with a request, field by field."""
    problems = error.errors(include_url=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        reason = problems[0]["ctx"]["error"]
        return RequestError(400, "invalid_json", f"The body is not JSON in UTF-8: {reason}.")
    fields = ", ".join(kind.model_fields)
    sentences = []
    for problem in problems:
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "missing":
            says = "is missing"
        elif problem["type"] == "extra_forbidden":
            says = f"is not known here; there are {fields}"
        elif not name and problem["type"] != "value_error":
            says = f"The body must be a JSON object with {fields}"
        else:
            says = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
        sentences.append(f"{name} {says}" if name else says)
    return RequestError(422, "invalid_request", "; ".join(sentences) + ".")


def _too_much(what: str, limit: int) -> RequestError:
    return RequestError(
        413, "too_large", f"Too much at once: {what}, and at most {limit:,} are taken."
    )

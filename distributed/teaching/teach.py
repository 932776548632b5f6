"""`siamese teach`: ask a teacher about texts, in this process or in actors of Ray Data."""

from typing import Any

from distributed.encoding.actors import check_gpus, on_ray
from siamese.encoding.filling import Existing, encode_here
from siamese.teaching.teach import teach as teach_here
from siamese.teaching.teacher import load_teacher
from siamese.training.execution import Execution


def teach(
    inputs: list[str],
    teacher: str,
    output: str,
    limit: int | None = None,
    existing: Existing = "refuse",
    execution: Execution | None = None,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Write a teacher folder: `siamese.teaching.teach`, by as many workers as asked for.

    Args:
        inputs: as there, as are the others.
        teacher: what the user calls it; see `load_teacher`.
        output: the folder; only this process writes there.
        limit: the first so many texts.
        existing: what to do with a folder that is there.
        execution: the workers, and what each of them has; None: this process.
        encoding: of all text files.

    Returns:
        The manifest.

    Raises:
        UserError: an input, the teacher or the output cannot be used, or the cluster cannot run it.
        RunError: the workers keep dying.
    """
    execution = execution or Execution()
    check_gpus(execution, "the teacher")
    asked = load_teacher(teacher)
    location = getattr(asked, "location", None)  # of a model of this project
    read = [location] if location else []
    encode = on_ray(execution, read, bool(location)) if execution.workers[1] else encode_here
    return teach_here(inputs, asked, output, limit, existing, encode, encoding)

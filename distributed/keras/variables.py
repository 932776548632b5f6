"""The variables of what a user hands in to be kept: models, optimizers, metrics, generators."""

from collections.abc import Mapping
from typing import Any

from siamese.errors import UserError
from siamese.storage.checkpoints import Owned


def variables_of(owners: Mapping[str, Any]) -> Owned:
    """Return the variables of each owner.

    Args:
        owners: by name: a model, layer, optimizer or metric of Keras's, a `keras.random.
            SeedGenerator`, or a list of variables.

    Raises:
        UserError: one of them has no variables, or not yet.
    """
    if not owners:
        raise UserError("nothing to restore: call context.restore(model=…, optimizer=…).")
    return {name: _variables(name, owner) for name, owner in owners.items()}


def _variables(name: str, owner: Any) -> list[Any]:
    if isinstance(owner, list | tuple):
        found = list(owner)
    elif hasattr(owner, "variables"):
        if not getattr(owner, "built", True):
            how = (
                f"Call {name}.build(model.trainable_variables)"
                if hasattr(owner, "apply_gradients")
                else f"Call {name}.build(input_shape), or begin it with keras.Input"
            )
            raise UserError(
                f"{name} has no variables before it is built. {how} inside of "
                "context.strategy.scope(), before context.restore."
            )
        found = list(owner.variables)
    elif hasattr(owner, "state"):
        found = [owner.state]
    else:
        found = []
    if not found or not all(hasattr(each, "assign") for each in found):
        raise UserError(
            f"{name} is a {type(owner).__name__}, which has no variables. Numbers and texts go "
            f"into context.checkpoint(step, {name}=…), and come back as state.values."
        )
    return found

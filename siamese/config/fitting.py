"""Settings of a recipe that are right alone, and wrong together."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siamese.config.recipe import Recipe


def problems_between(recipe: "Recipe") -> list[str]:
    """List what is wrong with settings that do not fit each other, and what to set instead.

    Args:
        recipe: whose settings are right, each alone.
    """
    problems: list[str] = []
    if recipe.sampling.method == "notebook" and recipe.loss.hard_negatives:
        problems.append(
            "loss.hard_negatives must be 0 with sampling.method=notebook, whose rows are "
            "two texts joined"
        )
    ranks = "loss.name=cosent" if recipe.loss.name == "cosent" else "loss.ranking"
    if (recipe.loss.ranking or recipe.loss.name == "cosent") and not recipe.loss.hard_negatives:
        problems.append(
            f"{ranks} compares with labelled negatives: set loss.hard_negatives to 1 or more"
        )
    if recipe.loss.ranking and recipe.loss.name == "cosent":
        problems.append(
            "loss.ranking adds CoSENT to another loss: set it to 0 with loss.name=cosent"
        )
    if recipe.sampling.unlabelled and not recipe.uses_teacher:
        problems.append(
            "sampling.unlabelled draws texts to follow a teacher on: set "
            "training.teacher_epochs or loss.distillation, or loss.name=distillation"
        )
    if recipe.training.teacher_epochs >= recipe.training.epochs:
        problems.append(
            "training.teacher_epochs must be fewer than training.epochs; to follow a teacher "
            "and nothing else, set loss.name=distillation"
        )
    if recipe.encoder.vectors == "none" and not recipe.encoder.train_embeddings:
        problems.append(
            "encoder.train_embeddings=false needs vectors: set encoder.vectors to a word2vec "
            "file or to train"
        )
    return problems

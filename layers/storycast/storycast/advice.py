"""Advice on a training's length, from the size of its dataset."""

from storycast.settings import Training

MIN_STEPS, MAX_STEPS = 10, 20_000
"""Amazon Nova User Guide, hyperparameters of creative content generation models."""
FEW_EPOCHS, MANY_EPOCHS = 10, 2_000
"""Outside of these a training is most likely a mistake: a rule of thumb, not measured here. The walk-through's
14,000 steps of 64 on some hundred pictures are thousands of epochs; trainers of small adapters aim at 50 to 500.
"""
AIM_EPOCHS = 300
FEW_ADAPTER_EPOCHS, MANY_ADAPTER_EPOCHS, AIM_ADAPTER_EPOCHS = 5, 250, 50
"""The same of an adapter (LoRA), which is trained at a rate a hundred times as high: a rule of thumb again."""
FEW_PICTURES = 10
"""Below which an adapter copies its pictures rather than learns whom they show: a rule of thumb, too."""


def epochs(training: Training, picture_count: int) -> float:
    """Return how often a training sees each picture: steps x batch size / pictures."""
    return training.values.pictures_seen / max(picture_count, 1)


def advice(training: Training, picture_count: int) -> list[str]:
    """Return in words what looks wrong with a training's length; empty where nothing does.

    Steps are changed first, then the batch size or the learning rate, as the walk-through advises.

    Args:
        training: The values.
        picture_count: Pictures that are trained on.
    """
    is_adapter = training.target == "sagemaker"
    few, many, aim = (
        (FEW_ADAPTER_EPOCHS, MANY_ADAPTER_EPOCHS, AIM_ADAPTER_EPOCHS)
        if is_adapter
        else (FEW_EPOCHS, MANY_EPOCHS, AIM_EPOCHS)
    )
    times = epochs(training, picture_count)
    steps_told = f"{training.values.step_count:,} steps of {training.values.batch_size}"
    told = f"{steps_told} on {picture_count:,} pictures are {times:,.0f} epochs"
    if times > many:
        steps = round(aim * picture_count / training.values.batch_size)
        if steps < MIN_STEPS:
            return [f"{told}: each picture is seen so often that it will be copied. Lower training.batch_size."]
        return [f"{told}: each picture is seen so often that it will be copied. Try training.step_count: {steps}."]
    if times < few:
        steps = round(aim * picture_count / training.values.batch_size)
        if steps <= MAX_STEPS:
            return [f"{told}: too few to learn a character. Try training.step_count: {steps}."]
        return [
            f"{told}: too few to learn a character. Set training.step_count: {MAX_STEPS}, the most there is; if "
            "that is not enough, raise training.batch_size or training.learning_rate, one at a time."
        ]
    return []

"""Ids of foundation models, and of the inference profiles that stand for them in several regions."""

_REGION_PREFIXES = ("us.", "eu.", "apac.", "jp.", "au.", "ca.", "us-gov.", "global.")


def plain_model_id(model_id: str) -> str:
    """Return the id of the model behind an inference profile; a model's own id stays as it is.

    Args:
        model_id: Such as ``amazon.nova-pro-v1:0`` or ``us.amazon.nova-pro-v1:0``.
    """
    prefix = next((prefix for prefix in _REGION_PREFIXES if model_id.startswith(prefix)), "")
    return model_id.removeprefix(prefix)

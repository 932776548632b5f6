"""The cap on TensorFlow's GPU memory."""


def cap_memory(cap_mb: int | None) -> int | None:
    """Cap TensorFlow's memory on every GPU that this process sees, before any is initialised.

    The notebook's `limit_gpu_memory`. TensorFlow takes the whole of a GPU otherwise.

    Args:
        cap_mb: the cap in MiB; None: no cap.

    Returns:
        The cap in force in MiB; None without a GPU or a cap.
    """
    from siamese.encoder.keras_tf import tf

    if cap_mb is None:
        return None
    devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.set_logical_device_configuration(
            device, [tf.config.LogicalDeviceConfiguration(memory_limit=cap_mb)]
        )
    return cap_mb if devices else None


def memory_note(asked_mb: int | None, cap_mb: int | None) -> str:
    """Say for the log which cap is in force, or nothing.

    Args:
        asked_mb: the cap in MiB that the user asked for.
        cap_mb: the one in force.
    """
    if cap_mb:
        return f"GPU memory capped at {cap_mb:,} MiB a worker"
    return "no GPU here: --gpu-memory-mb has no effect" if asked_mb else ""

"""Which device the numbers live on: always said, never guessed behind the user's back."""

import torch

from sim.errors import DeviceError


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device that `device` names.

    Args:
        device: `"auto"` (CUDA where there is one, else the CPU), or anything `torch.device` accepts.

    Raises:
        DeviceError: the name is unknown, or names a CUDA device that this machine does not have.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(f"Unknown device {device!r}: use 'auto', 'cpu', 'cuda' or 'cuda:N'.") from error
    if resolved.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (resolved.index or 0) >= count:
            raise DeviceError(
                f"Device {str(resolved)!r} was asked for, but torch sees {count} CUDA device(s) here. "
                "Use device='cpu' or 'auto', or install a CUDA build of torch."
            )
    return resolved

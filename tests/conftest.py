"""Settings of all tests."""

import os

from hypothesis import settings

# Tests run side by side, one process a core: threads inside each would only wait for each other.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# The same cases every time, so that a failure belongs to the change that made it. To look for new ones:
# HYPOTHESIS_PROFILE=default python -m pytest
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

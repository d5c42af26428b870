"""Settings of all tests."""

import os

from hypothesis import settings

# The same cases every time, so that a failure belongs to the change that made it. To look for new ones:
# HYPOTHESIS_PROFILE=default python -m pytest
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

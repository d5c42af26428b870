"""One place that tells Warp to be quiet: its banner and compile notes are not for the person."""

import warp as wp

if hasattr(wp.config, "log_level"):
    wp.config.log_level = wp.LOG_ERROR
else:  # before Warp 1.12
    wp.config.quiet = True

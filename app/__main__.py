"""`python -m app`: the command line; and where there is no display to open the demo on, its film instead."""

import sys

from app.cli import main
from app.display import has_display

arguments = sys.argv[1:]
if not arguments and not has_display():
    print("There is no display here, so no window can open; recording the demo scene to out/gummy_bear.mp4.")
    arguments = ["record", "gummy_bear", "-o", "out/gummy_bear.mp4"]
sys.exit(main(arguments))

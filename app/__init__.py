"""What a person touches: the window, the command line, films and export."""

import os

# Before the first numerical library is read. Bodies and networks are small: a second thread in each product would only
# wait, and take from the window, its job and the drawing what they need (sim/threads.py has the figures).
os.environ.setdefault("OMP_NUM_THREADS", "1")

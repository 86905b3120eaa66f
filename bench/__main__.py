"""``python -m bench`` is ``bench/run.py``."""

from bench.run import main

main()

"""Entity in Python: a second implementation, written from `docs/protocol` and `docs/contract` alone.

`README.md` beside the package has the map of its modules and the seam at which features join.
"""

__version__ = "1.0.0"

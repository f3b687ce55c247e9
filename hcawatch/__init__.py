"""Entry points: the command, the processes it starts, the demo. Only these wire the packages together."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hcawatch")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0.1.0"

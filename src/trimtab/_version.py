"""The one place that states the version; the build and `run.json` read it."""

__version__ = "0.1.0"

"""The contract of workers, kept by this process and by processes of this machine."""

from contract import *  # noqa: F403 - all its tests

KINDS = ["in process", "processes"]

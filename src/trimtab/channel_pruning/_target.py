"""How small or fast the model shall become: one limit, in the units that people write."""

from __future__ import annotations

import dataclasses
from typing import Literal

from trimtab._units import Amount, amount
from trimtab.channel_pruning._selection import check_ratio
from trimtab.errors import ConfigError

__all__ = ["Quantity", "Target"]

Quantity = Literal["ratio", "parameters", "macs", "size", "latency"]


@dataclasses.dataclass(frozen=True)
class Target:
    """How small or fast the model shall become; exactly one of the five is given.

    Args:
        ratio: share of the channels to remove, of those that may go, in (0, 1).
        parameters: at most so many numbers: ``50_000``, ``"50k"``, or ``"50%"`` (``"0.5x"``) of the model's.
        macs: at most so many multiply-accumulates an image: ``12e6``, ``"12M"``, ``"50%"``.
        size: at most so many bytes of the int8 file: ``50_000``, ``"50kB"``, ``"50%"`` of the model's.
        latency: at most so many milliseconds an image, of the int8 file on this machine: ``2.0``, ``"2ms"``,
            ``"50%"`` of the model's.

    Raises:
        ConfigError: none or several are given, or the value makes no sense.

    Example:
        >>> Target(size="50kB").limit
        Amount(value=50000.0, relative=False)
    """

    ratio: float | None = None
    parameters: float | str | None = None
    macs: float | str | None = None
    size: float | str | None = None
    latency: float | str | None = None

    def __post_init__(self) -> None:
        given = [field.name for field in dataclasses.fields(self) if getattr(self, field.name) is not None]
        if len(given) != 1:
            came = " and ".join(f"{name}={getattr(self, name)!r}" for name in given) or "none"
            raise ConfigError(
                "Give one target: ratio, parameters, macs, size or latency, such as ratio=0.5 or macs='50%'. "
                f"Received: {came}."
            )
        if self.ratio is not None:
            check_ratio(self.ratio)
        else:
            amount(self.quantity, getattr(self, self.quantity))

    @property
    def quantity(self) -> Quantity:
        """What is limited."""
        names: tuple[Quantity, ...] = ("ratio", "parameters", "macs", "size", "latency")
        return next(name for name in names if getattr(self, name) is not None)

    @property
    def limit(self) -> Amount:
        """The limit; for a ratio, the share that goes."""
        if self.ratio is not None:
            return Amount(check_ratio(self.ratio), relative=True)
        return amount(self.quantity, getattr(self, self.quantity))

    @property
    def measured(self) -> bool:
        """Whether candidates must be converted to tell whether they meet it."""
        return self.quantity in ("size", "latency")

    def __str__(self) -> str:
        """As it was asked for: ``"size=50kB"``."""
        return f"{self.quantity}={getattr(self, self.quantity)}"

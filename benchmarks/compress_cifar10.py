"""The best CIFAR-10 models under 20, 50, 100 and 250 kB, each found within 30 minutes on two cores.

python benchmarks/compress_cifar10.py

Half an hour on two cores is little for CIFAR-10: ten thousand images are used, and what is found is far from
what the same sizes reach with days of training.
"""

from __future__ import annotations

from _compress_runs import Plan, run_all


def main() -> None:
    """Runs all searches."""
    run_all(
        Plan(
            "compress_cifar10",
            "cifar10",
            "CIFAR-10 in so many kilobytes, scaled to two cores",
            {},
            limit=10_000,
        )
    )


if __name__ == "__main__":
    main()

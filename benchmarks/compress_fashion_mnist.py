"""The best Fashion-MNIST models under 20, 50, 100 and 250 kB, each found within 30 minutes on two cores.

python benchmarks/compress_fashion_mnist.py
"""

from __future__ import annotations

from _compress_runs import Plan, run_all


def main() -> None:
    """Runs all searches."""
    run_all(
        Plan(
            "compress_fashion_mnist",
            "fashion_mnist",
            "Fashion-MNIST in so many kilobytes",
            {20: 0.91, 100: 0.93},
        )
    )


if __name__ == "__main__":
    main()

"""The architectures that Trimtab builds itself: small classifiers that end in logits.

Every one is an ordinary Functional Keras model of built-in layers, with readable layer names, and with
seeds of its own, so that building one touches no global random state and the same seed gives the same
weights (on the same backend)::

    from trimtab import zoo

    model = zoo.cnn((28, 28, 1), 10, filters=(32, 64), dropout=0.3)
    model = zoo.build("resnet", (32, 32, 3), 10, depth=20)
"""

from __future__ import annotations

from trimtab.zoo._cnn import cnn
from trimtab.zoo._registry import architectures, build
from trimtab.zoo._resnet import resnet

__all__ = ["architectures", "build", "cnn", "resnet"]

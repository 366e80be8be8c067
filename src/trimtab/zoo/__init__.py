"""The architectures that Trimtab builds itself: small classifiers that end in logits.

Every one is an ordinary Functional Keras model of built-in layers, with readable layer names, and with
seeds of its own, so that building one touches no global random state and the same seed gives the same
weights (on the same backend)::

    from trimtab import zoo

    model = zoo.cnn((28, 28, 1), 10, filters=(32, 64), dropout=0.3)
    model = zoo.build("resnet", (32, 32, 3), 10, depth=20)
    student = zoo.shrink(model, 0.5)

``resnet50`` is the one that starts from pretrained weights, to be trained further.
"""

from __future__ import annotations

from trimtab.zoo._cnn import cnn
from trimtab.zoo._ds_cnn import ds_cnn
from trimtab.zoo._efficientnet import efficientnet
from trimtab.zoo._mobilenet_v2 import mobilenet_v2
from trimtab.zoo._mobilenet_v3 import mobilenet_v3
from trimtab.zoo._registry import architectures, build
from trimtab.zoo._resnet import resnet
from trimtab.zoo._resnet50 import resnet50
from trimtab.zoo._shrink import shrink
from trimtab.zoo._vgg import vgg
from trimtab.zoo._weights_origin import WeightsOrigin, weights_origin

__all__ = [
    "WeightsOrigin",
    "architectures",
    "build",
    "cnn",
    "ds_cnn",
    "efficientnet",
    "mobilenet_v2",
    "mobilenet_v3",
    "resnet",
    "resnet50",
    "shrink",
    "vgg",
    "weights_origin",
]

"""What there is to know of a Keras model, and models as files.

Models stay ordinary Keras models; these functions load, save and copy them, and count what they hold::

    from trimtab import models

    model = models.load_model("model.keras")
    print(models.architecture_summary(model))
    models.parameters(model), models.non_zeros(model), models.macs(model)
"""

from __future__ import annotations

from trimtab.models._clone import clone
from trimtab.models._counts import non_zeros, parameters
from trimtab.models._digest import model_digest
from trimtab.models._load import load_model
from trimtab.models._macs import LayerCost, layer_macs, macs, macs_per_layer
from trimtab.models._save import save_model
from trimtab.models._shape import check_fits
from trimtab.models._softmax import has_softmax, without_softmax
from trimtab.models._summary import architecture_summary

__all__ = [
    "LayerCost",
    "architecture_summary",
    "check_fits",
    "clone",
    "has_softmax",
    "layer_macs",
    "load_model",
    "macs",
    "macs_per_layer",
    "model_digest",
    "non_zeros",
    "parameters",
    "save_model",
    "without_softmax",
]

"""Images and labels: named sets, a user's own files, splits, augmentation, and batches for any backend.

Importing this package loads neither Keras nor a backend; `batches` does, when it is called.
"""

from trimtab.data._augmentation import Augmentation
from trimtab.data._batches import batches
from trimtab.data._image_data import ImageData, Split
from trimtab.data._load import from_arrays, load_data
from trimtab.data._named import NAMED_SETS
from trimtab.data._sample_sheet import sample_sheet

__all__ = [
    "NAMED_SETS",
    "Augmentation",
    "ImageData",
    "Split",
    "batches",
    "from_arrays",
    "load_data",
    "sample_sheet",
]

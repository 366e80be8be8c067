"""How weights come to share values: the options that recipes and the command line share."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from trimtab._choices import ClusterInit, ClusterPer, SharedGradients
from trimtab.pipeline._layer_options import WhereOptions
from trimtab.pipeline._options import TrainingOptions

__all__ = ["ClusteringOptions"]


class ClusteringOptions(TrainingOptions, WhereOptions):
    """How a model is clustered; the arguments of `trimtab.cluster`.

    `schedule` is that of the learning rate, as in each training.
    """

    clusters: int = Field(16, ge=2, le=256)
    init: ClusterInit = "kmeans++"
    per: ClusterPer = "layer"
    keep_zeros: bool = True
    gradients: SharedGradients | None = None
    epochs: int = Field(5, ge=0)

    def cluster_arguments(self, model: Any) -> dict[str, Any]:
        """Returns the keyword arguments of `trimtab.cluster`.

        Args:
            model: the model that will be clustered; its layers give the classes that `types` names.

        Raises:
            ConfigError: no layer of the model is of such a class.
        """
        arguments = {name: getattr(self, name) for name in ClusteringOptions.model_fields}
        arguments |= self.train_arguments()
        arguments["rate_schedule"] = arguments.pop("schedule")
        del arguments["types"]
        arguments |= self.where(model)
        # Where nobody said, the verb's own default holds.
        return {name: value for name, value in arguments.items() if value is not None}

    def check_model(self, model: Any) -> None:
        """Refuses what cannot be done with a model, before anything is trained.

        Args:
            model: the model that will be clustered; it need not be trained.

        Raises:
            ConfigError: a layer is not there, or nothing is left to cluster.
            ModelError: it is no built Keras 3 model.
        """
        from trimtab.clustering._options import ClusteringOptions as Checked
        from trimtab.clustering._which import chosen_weights

        where = self.where(model)
        options = Checked(self.clusters, self.init, self.per, self.keep_zeros, self.gradients)
        chosen_weights(model, where["layers"], where["exclude"], where["skip_ends"], options)

"""Which layers hurt: gradients, scans of a model, and targets for each layer.

The public names are in `trimtab.pruning`.
"""

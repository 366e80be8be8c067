"""Which layers and weights may be pruned, and choosing among them.

The public names are in `trimtab.pruning`.
"""

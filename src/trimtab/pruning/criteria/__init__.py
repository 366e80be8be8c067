"""Which weights go: what goes together, how much each matters, and against whom it is ranked.

The public names are in `trimtab.pruning`.
"""

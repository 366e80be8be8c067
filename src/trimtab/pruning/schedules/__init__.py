"""When the masks are chosen anew, and for how many zeros.

The public names are in `trimtab.pruning`.
"""

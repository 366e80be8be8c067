"""The optimizer that prunes while another one trains, and what belongs to a training with it.

The public names are in `trimtab.pruning`.
"""

"""How many zeros there are: tables, patterns, and masks in files.

The public names are in `trimtab.pruning`.
"""

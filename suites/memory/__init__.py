"""How large a graph fits, what a training step takes, and whether life goes on after memory ran out."""

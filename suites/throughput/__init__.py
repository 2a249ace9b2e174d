"""How fast: edges a second through the GCN layer and its training step, with clocks that
wait for the device."""

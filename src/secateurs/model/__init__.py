"""The encoder and its heads, forward only: layers, attention, devices, batches."""

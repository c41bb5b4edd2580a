"""One list of probes, run inside every isolation by the product's own runners."""

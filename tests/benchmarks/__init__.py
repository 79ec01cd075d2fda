"""The benchmarks: what of them is neither measured nor printed."""

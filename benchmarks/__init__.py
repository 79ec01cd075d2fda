"""What things cost, measured. Run by `make bench`; imported by nothing in service/."""

"""What the runs prove: records, claims, sources, citations and outcomes of tests. Needs no PyTorch."""

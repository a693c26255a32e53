"""What the paper states, found by patterns: with section, page and quote, proposed and never set. Needs no PyTorch."""

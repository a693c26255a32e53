"""From a configuration to a tested checkpoint: everything that needs PyTorch."""

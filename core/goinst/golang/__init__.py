"""Go binary analysis: pure, no root, no BPF."""

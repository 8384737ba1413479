"""Plugins and a binary make a plan: pure, no root, the same input gives the same plan."""

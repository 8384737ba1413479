"""Records: their layout, the ring that they come through, and the spans that they make."""

"""What captured values are on the wire: the C that writes them, and what reads them back."""

"""Programs on emulated boards."""

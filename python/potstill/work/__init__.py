"""What every part works with: atomic files, locks, the content store, digests, progress, processes."""

"""The build pipeline: stages, the store of their results, progress. Importing it imports no heavy library."""

"""Students: architectures, and how their weights start (`registry`)."""

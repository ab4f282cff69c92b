"""What earlier invocations said: an index of runs, their artifacts, and bundles that carry both between machines."""

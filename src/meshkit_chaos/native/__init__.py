"""Native binaries: what a file is and on what evidence, builds of them, copies that are run exactly as they were verified."""

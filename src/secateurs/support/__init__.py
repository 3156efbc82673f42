"""What every room may lean on: arguments, files, calls, processes."""

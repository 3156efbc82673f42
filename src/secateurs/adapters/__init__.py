"""What every framework adapter shares: settings, fields, the runner, failure, reports, tool output, originals."""

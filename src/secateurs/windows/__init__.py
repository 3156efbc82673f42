"""From (query, units) to token windows, and from token scores back to unit scores; numpy, no torch."""

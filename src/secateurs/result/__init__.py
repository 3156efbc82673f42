"""What comes out, as frozen data: spans, sentences, compressions, savings, highlights; no torch."""

"""Files, and what every reader and writer of them shares: it knows no data, model or task."""

"""Where lesions come from: networks, hot spots, models of others."""

"""Digital patients: anatomy, disease and scanner, drawn from a seed."""

"""What touches Textual's inner parts: few bytes out, late replies in, pictures in pixels."""

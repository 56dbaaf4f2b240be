"""Training: synthetic and real captioned videos, and how the stages learn from them."""

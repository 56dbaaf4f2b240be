"""Text-to-video generation by a cascade of diffusion stages."""

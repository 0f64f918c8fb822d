"""Drawings, their splits, and what is sampled from them: pairs, episodes, distortions."""

"""Reports: data frames, plots drawn from them, and pages that are a single HTML file each."""

__all__ = ["comparison", "html_page", "retraining", "studies", "study", "style"]

"""Default locations of files."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]
VAR = Path("var")  # data sets, checkpoints, networks and reports; relative to the working directory
ARTIFACTS = "artifacts"  # folder of the trial images of all studies, next to the storage's files
DEFAULT_STORAGE = "sqlite:///study.db"
REFERENCE_STUDY = PROJECT / "results" / "reference" / "study.db"
_PRETRAINED = ("results/pretrained/network.pt", "siamese_hpo/pretrained/network.pt")
# In the repository, or in an installed package.
PRETRAINED = next((p for n in _PRETRAINED if (p := PROJECT / n).exists()), PROJECT / _PRETRAINED[0])

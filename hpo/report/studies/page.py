"""The page that compares several studies."""

from optuna.storages import RDBStorage
from optuna.study import Study

from data.labels import data_caveat
from hpo.report.html_page import Page, Section
from hpo.report.studies.frames import band_frame, compute_frame, seed_groups, studies_frame
from hpo.report.studies.plots import compute_plot
from hpo.report.studies.text import comparability_warnings, comparison_table, stored_identities
from hpo.report.study.frames import trial_frame

VALIDATION_NOTE = (
    "All accuracies were measured on the validation alphabets. The test alphabets were not used."
)
PLOT_NOTE = (
    "Highest validation accuracy of the complete trials so far, by the number of drawings that all "
    "fits of the search have embedded in training. It is too high on average, because it is the "
    "highest of many noisy values. Fits of finalists are not included, and neither are failed "
    "trials."
)
BAND_NOTE = (
    " The line of studies that differ only by their seed is their mean, and its band reaches from "
    "the lowest to the highest of them. It is drawn where all of them have a value."
)
TABLE_NOTE = (
    "Images are drawings that were embedded in training, and hours are hours of training: of the "
    "search, and of all fits, which include the finalists. Brackets: 95 % interval."
)


def studies_page(storage: RDBStorage, studies: list[Study]) -> Page:
    """Return the page that compares studies of one storage.

    Args:
        storage: storage of the studies.
        studies: two or more studies.
    """
    identities, frame = stored_identities(studies), studies_frame(storage, studies)
    groups = seed_groups(identities)
    curves = compute_frame({s.study_name: trial_frame(s) for s in studies}, groups)
    n_groups = len(set(groups.values()))
    headline = f"{len(studies)} studies" + (f" in {n_groups} groups" if n_groups > 1 else "")
    caveats = [data_caveat(data) for data in frame["data"].unique()]
    note = PLOT_NOTE + (BAND_NOTE if n_groups < len(studies) else "")
    return Page(
        "Comparison of studies",
        headline,
        [*comparability_warnings(identities), VALIDATION_NOTE, *filter(None, caveats)],
        [
            Section(
                "Best so far against compute", note, figures=[compute_plot(band_frame(curves))]
            ),
            Section("Studies", TABLE_NOTE, table=comparison_table(frame, groups)),
        ],
    )

"""The settings of retrain_best.py, from flags and file."""

import argparse
from dataclasses import fields, replace

from data.errors import InputError
from hpo.refit.settings import RETRAIN_SECTIONS, RetrainConfig
from hpo.settings.config_file import ConfigFile, make_config, read_config_file
from hpo.settings.config_text import format_config, settings_sections, study_sections
from hpo.settings.start_space import resolve_start
from hpo.settings.study_settings import SECTIONS, StudyConfig
from hpo.study.dataset import resolve_data


def retrain_config(args: argparse.Namespace) -> RetrainConfig:
    """Return the settings of the file of ``--config``, overridden by the flags.

    Raises:
        InputError: the file or a flag cannot be used, the file has no point and no study, or it has
            a point and the flags name a study without a trial.
    """
    file = ConfigFile("The command line")
    if args.config:
        file = read_config_file(args.config, RETRAIN_SECTIONS, SECTIONS)
    names = {f.name for f in fields(RetrainConfig)} - {"point", "study", "again"}
    flags = {name: value for name, value in vars(args).items() if name in names}
    config: RetrainConfig = make_config(RetrainConfig, replace(file, point=None), flags)
    if config.train_on != "train" and not config.test:
        raise InputError(
            "--no-test needs validation alphabets. Leave out --no-test, or --train-on train+val."
        )
    config = replace(config, again=args.again)
    if file.point is None or config.trial is not None:
        return config
    if "study_name" in flags:
        raise InputError(
            f"{args.config} has a [point] table, which is refitted in place of a trial of a study. "
            "Leave out --study-name, or choose a trial with --trial."
        )
    study_file = read_config_file(args.config, SECTIONS, RETRAIN_SECTIONS)
    study: StudyConfig = make_config(StudyConfig, study_file)
    study = resolve_data(replace(study, data_root=config.data_root or study.data_root))
    study = resolve_start(study)
    return replace(config, point=file.point, study=study, data_root=study.data_root)


def print_retrain_config(config: RetrainConfig) -> None:
    """Print the settings of a retraining as a TOML file, with those of its point if it has one."""
    sections = settings_sections(config, RETRAIN_SECTIONS)
    if config.study is not None:
        sections = study_sections(config.study, config.point) | sections
    print(format_config(sections), end="")

"""The settings of a study: described once, and read from flags, files and Python."""

__all__ = [
    "base_config",
    "config_file",
    "config_text",
    "machine",
    "sections",
    "start",
    "start_space",
    "study_settings",
    "value_types",
]

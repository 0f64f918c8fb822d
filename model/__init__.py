"""The siamese network: its configuration, training, evaluation and checkpoints."""

"""What the scripts share: flags, exit status, and the output in the terminal."""

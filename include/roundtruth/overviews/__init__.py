"""What the pages of the web UI show, read from the files of rounds and versions; without pandas."""

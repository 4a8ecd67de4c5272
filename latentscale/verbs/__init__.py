"""The package's verbs: names and questions alone, so that the command line's help stays quick."""

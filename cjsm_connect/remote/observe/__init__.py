"""The collector: one module a topic, each `observe(arguments) -> facts`. Standard library of Python 3.9."""

"""What survives in the output of tools: `secateurs evaluate tool-output`.

cases.py     benchmarks, read record by record; another one is another row of its table
ways.py      what cuts an output down: the compressor, and simple ways at the same number of tokens
check.py     what survived, what still parses: lexical rules
measure.py   cases x ways -> outcomes
losses.py    why a fact was lost
report.py    JSON, tables; plot.py: the picture
command.py   the command line's entry
"""

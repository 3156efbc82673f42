"""How fast it is: `secateurs bench`.

corpus.py       the documents, made from a seed, and their lengths
variants.py     ways to run the same weights over the same windows: ours, and the padded shapes of the neighbours
clock.py        seconds, on a CPU and on a GPU; medians
machine.py      what it ran on, its matrix rate, its memory
pipeline.py     the steps around the forward pass, one by one; callers at once
measure.py      all of it, interleaved -> Report
report.py       JSON and tables
command.py      the command line's entry
"""

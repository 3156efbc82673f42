"""How fast it is: `secateurs bench`.

corpus.py       made documents: lengths from recorded distributions, words from a seed
real.py         real documents: the user's own, or the bundled model's card
variants.py     ways to run the same weights over the same windows: ours, and the padded shapes of the neighbours
callers.py      whole calls, from texts to texts: ours, and LlamaIndex's and LangChain's classes with the same encoder
embed.py        the checkpoint's encoder, as those classes are given one
clock.py        seconds, on a CPU and on a GPU
watch.py        forward passes, counted and timed by a hook
machine.py      what it ran on, and its matrix rate
memory.py       the most memory held
pipeline.py     the steps around the forward pass, one by one
workload.py     one set of documents, every way to run it
clients.py      concurrent clients, and the event loop's heartbeat
growth.py       how time grows with documents and their length
measure.py      all of it, interleaved
results.py      the figures
report.py       JSON and tables
plot.py         the picture
command.py      the command line's entry
"""

"""How a model is measured: `secateurs evaluate`.

records.py      labelled data, streamed
sample.py       the dev sample and its halves
systems.py      what can be measured; peers.py and embeddings.py: the others
ladder.py       one record at every threshold: counts
measure.py      systems x files -> ladders
metrics.py      the metrics, small functions with their source
figures.py      ladders -> sums -> figures
thresholds.py   where thresholds are chosen, and how
bootstrap.py    intervals, paired by record
assess.py       runs -> results
controls.py     random units and truncation at as many tokens; own.py: a threshold for each language
page.py         the page to read first
report.py       JSON, Markdown, tables; plot.py: the picture
table.py        Markdown tables
command.py      the command line's entry; options.py: what its options mean
answers/        whether a reader still answers right: `secateurs evaluate answers`
preview/        what would be cut of documents nobody labelled: `secateurs evaluate preview`
tool_output/    what survives in the output of tools: `secateurs evaluate tool-output`
"""

"""The way a pruner is made: `secateurs train CONFIG.toml`. Imported only by the command line.

TOML file (command.py; runner.py puts the rest together)
  -> config.py      frozen dataclasses, checked before anything is loaded (tables.py: from TOML, strictly)
  -> start.py       a pruner, encoder or reranker becomes a `Pruner` that learns (vocabulary.py: fewer pieces)
  -> data.py        records (records.py) become token arrays with sentence labels, once
  -> mixing.py      an endless, seeded stream of batches: sources by share, crops, joined passages, negatives
                    (negatives.py: which passages look as if they answered)
  -> losses.py      one packed batch to one loss
  -> loop.py        steps, checkpoints, resume, early stopping (optimizer.py; placement.py: CPU, GPU, many)
  -> dev.py         what is measured on the way, and the calibrated threshold
  -> write.py       the finished folder and its card
"""

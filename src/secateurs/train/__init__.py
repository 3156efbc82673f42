"""The way a pruner is made: `secateurs train CONFIG.toml`. Imported only by the command line; see README.md.

TOML file (command.py; runner.py puts the rest together)
  -> config.py      frozen dataclasses, checked (checks.py) before anything is loaded (tables.py: from TOML, strictly)
  -> start.py       a pruner, encoder or reranker becomes a `Pruner` that learns (vocabulary.py: fewer pieces)
  -> data.py        records (records.py) become token arrays with labels of their units, once
  -> mixing.py      an endless, seeded stream of batches: sources by share, passages whole or cropped (pieces.py) or
                    joined, negatives (negatives.py: which passages look as if they answered)
  -> task.py        what is learned: labels (losses.py: one packed batch to one loss; teacher.py: a larger pruner's
                    scores beside them), or a deeper encoder's states from texts alone (distill.py, texts.py)
  -> loop.py        steps, checkpoints (state.py), resume, early stopping (optimizer.py; placement.py: CPU, GPU, many;
                    stopping.py: SIGTERM)
  -> dev.py         what is measured on the way (measures.py: by which figures, and the calibrated threshold)
  -> write.py       the finished folder and its card
"""

"""What would be cut at five thresholds, of questions and documents that nobody labelled: to choose one by eye.

questions.py  the file: a query and its documents a line
levels.py     which thresholds, and what each leaves of every document
page.py       the page: one document after another, with a switch for the threshold
command.py    `secateurs evaluate preview`
"""

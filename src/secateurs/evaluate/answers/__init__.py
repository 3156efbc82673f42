"""Do answers survive, not only evidence: `secateurs evaluate answers`.

cases.py        questions with what was retrieved for them, read and checked
gather.py       labelled data -> such questions: each context among the nearest others
draft.py        documents -> scored units, once
contexts.py     what each system leaves of a case: ours at three savings, and the controls at as many tokens
prompts.py      what a reader is asked, and a judge, in English and Chinese
plan.py         the folder: who is asked what, written before anybody is
journal.py      answers and verdicts, appended as they come
ask.py          an endpoint, many prompts at a time
outcomes.py     answers and verdicts -> right, wrong, no answer, or not known
metrics.py      retention, its interval, McNemar's p
results.py      the rows of all tables
report.py       JSON, Markdown, tables; plot.py: the curve
command.py      the command line's entry
"""

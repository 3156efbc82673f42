"""How labels are made by an LLM that reasons first: `secateurs annotate`.

records.py      what comes in, checked before the first request
prompts.py      the instructions, the numbered sentences and the shape of an answer
parts.py        a document that is too long for one prompt becomes several
endpoint.py     an OpenAI-compatible server: retries, back-off, timeouts
answers.py      one reply -> numbers of sentences, or the reason why not
labels.py       ask every part, in one order or two, and merge
agreement.py    how often two orders agree
lines.py        append-only files that survive a kill
output.py       what is done, and where the rest goes
run.py          many records at once
report.py       what came out, counted from the files
command.py      the command line's entry
"""

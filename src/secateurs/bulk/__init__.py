"""A corpus larger than one sitting, compressed on Ray: `secateurs bulk`.

job.py        the settings of a run: what the output depends on
files.py      which files come in
records.py    one line or row -> what to compress, or the reason why not
survey.py     a file -> its fingerprint, its shards and its columns
manifest.py   what an output was begun with, and what has changed since
output.py     the files of an output; a shard is there whole or not at all
worker.py     what Ray's actors do: one shard after another
session.py    where Ray runs
engine.py     the run
progress.py   how far it is, and what it came to
command.py    the command line's entry

OUT/part-00000.jsonl ...     the rows, in order, with what was added
OUT/_errors.jsonl            the rows that could not be read, with position and reason
OUT/_totals.json             what was saved
OUT/_manifest.json           what the run was begun with
OUT/_shards/00000.json ...   a receipt for each finished part

Ray schedules, retries and restarts; that every row is there once, whatever is killed when, rests on the files: shards
have fixed boundaries, a part is renamed into place when it is whole, and only its receipt makes it count.
The bytes are the same because a row always meets the same batch mates; between processors of different kinds, or on a
GPU whose memory runs short, the last digit of a score may still differ.

Source: names that readers of folders pass over are those of Hadoop and Spark. Ray Data has checkpoints of its own, by
row; they promise neither the order of rows nor which file a row is in.
"""

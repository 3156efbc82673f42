"""What must not be lost of a tool's output: one table, a row a shape of line.

A tool that is missing is a row more: who writes it, its kind, why it must not be lost, what matches it, and a line
that it matches, which a test tries. A pattern sees a line without colours, time stamp and line break, its first 300
characters and last 100; one that begins with `^` is tried at the line's start alone, any other anywhere in it. Words
are plain words, in lower case. Write no group that is repeated without end, and no `.*`: a line may be anything.

    end      what it came to, where it failed: exit codes, totals
    done     what it came to, where it worked
    failure  what went wrong
    place    where: file and line, a frame of a trace
    change   what a command changed, or would: files, hunks
    warning  what may go wrong
    step     what was run; kept where a failure follows before the next step
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

BLOCK = sys.maxsize
Kind = Literal["end", "done", "failure", "place", "change", "warning", "step"]


@dataclass(frozen=True)
class Shape:
    """A shape of line that must not be lost.

    Attributes:
        tool: Who writes it.
        kind: What it is; by that it is weighed where not everything fits.
        why: Why it must not be lost.
        pattern: A regular expression that matches it; or
        words: words of which it holds one, with `|` between them.
        example: A line that it matches.
        before: Lines before it that belong to it.
        after: Lines behind it that belong to it, as far as the next blank one; `BLOCK` for all of those.
        until: With what the line begins that ends it: the lines before that are what was run, such as a script, and
            nothing that it wrote. They matter where the step failed, and no more.
        loose: Whether the pattern means something in the output of a command alone, and nothing in prose or code. So
            it is with words.
    """

    tool: str
    kind: Kind
    why: str
    pattern: str = ""
    example: str = ""
    before: int = 0
    after: int = 0
    loose: bool = False
    words: str = ""
    until: str = ""

    @property
    def everywhere(self) -> bool:
        """Whether it counts in prose and code as well."""
        return not (self.loose or self.words)

    def matches(self, line: str, lower: str) -> bool:
        """Return whether a line, given as it is and in lower case, has this shape."""
        if self.words:
            # most lines hold none, which is seen faster so
            return any(word in lower for word in self._words) and self._compiled.search(lower) is not None
        found = self._compiled.match(line) if self.anchored else self._compiled.search(line)
        return found is not None

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return tuple(self.words.split("|"))

    @cached_property
    def anchored(self) -> bool:
        """Whether it is tried at the line's start alone."""
        return self.pattern.removeprefix("(?i)").startswith("^")

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        words = rf"(?<![a-z0-9_./-])(?:{self.words})(?![a-z0-9_/-]|\.\w)"  # and not a part of a path or a name
        return re.compile(words if self.words else self.pattern)


SHAPES: tuple[Shape, ...] = (
    # --- what it came to: it failed ---
    Shape("any", "end", "the exit code says that it failed, and how",
          r"(?i)\bexit(?:ed|ing|s)?\b[^\n\d]{0,30}(?<![\d.])[1-9]\d{0,4}\b(?!\.\d)",
          "Process completed with exit code 100.", loose=True, before=10),
    Shape("any", "end", "a command failed",
          r"(?i)\b(?:returned|non-?zero)\b.{0,20}\b(?:exit|status)\b",
          "Command 'x' returned non-zero exit status 1.", loose=True, before=3),
    Shape("any", "end", "the total of what failed",
          r"(?i)^[^\w]{0,12}(?:\d+ tests? run: )?(?:\d+ \w+, )?[1-9]\d*(?: of \d+)?(?: \w+)? (?:failed|failing"
          r"|failures?|errors?|problems?|broken)\b",
          "396 tests run: 395 passed, 1 failed, 1 skipped", loose=True, before=2),
    Shape("any", "end", "the total of what was found",
          r"(?i)\bfound [1-9]\d* (?:errors?|problems?|warnings?|issues?|vulnerabilit(?:y|ies))\b",
          "Found 279 errors in 9 files (checked 1458 source files)", loose=True),
    Shape("any", "end", "what it came to",
          r"(?i)^\W{0,4}(?:build|tests?|compilation|deploy(?:ment)?|install(?:ation)?|job"
          r"|pipeline)\W{1,3}(?:failed|failure|errored|aborted)\b",
          "BUILD FAILED in 3s", loose=True, before=3),
    Shape("pytest", "end", "the total",
          r"^=+ (?:\S+ ){0,3}[1-9]\d* (?:failed|errors?)\b",
          "=== 45 failed, 162298 passed, 52 errors in 759.43s (0:12:39) ==="),
    Shape("pytest", "end", "nothing was tested",
          r"^(?:=+ no tests ran|collected 0 items|no tests ran in )", "collected 0 items"),
    Shape("unittest", "end", "the total",
          r"^FAILED \(", "FAILED (failures=1, errors=2)"),
    Shape("jest", "end", "the total",
          r"^\W{0,2}(?:Tests?|Test Suites|Test Files):? {1,8}\d+ (?:failed|failing)",
          "Tests:       1 failed, 12 passed, 13 total"),
    Shape("jest", "end", "nothing was tested",
          r"(?i)^no tests? (?:were )?found", "No tests found, exiting with code 1"),
    Shape("cargo", "end", "the total",
          r"^(?:test result: FAILED|\s{0,12}Summary \[)", "test result: FAILED. 3 passed; 1 failed; 0 ignored"),
    Shape("tap", "end", "the total",
          r"^# (?:fail|errors) {1,4}[1-9]", "# fail 2"),
    Shape("rspec", "end", "the total",
          r"^\d+ examples?, [1-9]\d* failures?", "12 examples, 1 failure"),
    Shape("go", "end", "a package that fails",
          r"^FAIL(?:\t|$)", "FAIL\tgithub.com/a/b\t0.4s"),
    Shape("maven", "end", "the total",
          r"\bTests run: \d+, (?:Failures: [1-9]|Failures: \d+, Errors: [1-9])",
          "[ERROR] Tests run: 12, Failures: 1, Errors: 0, Skipped: 0"),
    Shape("maven", "end", "what it came to",
          r"^(?:\[\w+\] )?BUILD FAILURE", "[INFO] BUILD FAILURE", before=2),
    Shape("gradle", "end", "what it came to",
          r"^(?:BUILD FAILED|\d+ tests completed, [1-9])", "12 tests completed, 1 failed"),
    Shape("docker", "end", "what failed",
          r"(?:did not complete successfully|failed to solve|returned a non-zero code)",
          "ERROR: failed to solve: process \"make\" did not complete successfully", before=4),
    Shape("ansible", "end", "what it came to",
          r"\bok=\d+ .{0,80}\b(?:failed|unreachable)=[1-9]", "web1 : ok=2 changed=1 unreachable=0 failed=1"),
    Shape("any", "end", "the total, or the exit code (Chinese)",
          r"(?:(?:退出|返回)(?:码|代码|状态|值)\s?[:：为是]?\s?[1-9]|失败\s?[:：]?\s?[1-9])",
          "测试完成：通过 12，失败 1", loose=True, before=3),
    # --- what it came to: it worked ---
    Shape("any", "done", "the exit code says that it worked",
          r"(?i)\bexit(?:ed)?\b(?: with)?(?: the)? ?(?:code|status|value)[ :=]{1,3}0\b",
          "Process exited with code 0", loose=True),
    Shape("any", "done", "the total",
          r"(?i)^[^\w]{0,12}(?:\d+ tests? run: )?\d+(?: of \d+)?(?: \w+)? (?:passed|passing|succeeded|ok)\b",
          "12 passed", loose=True),
    Shape("any", "done", "what it came to",
          r"(?i)^\W{0,4}(?:build|tests?|compilation|deploy(?:ment)?|install(?:ation)?|job"
          r"|pipeline)\W{1,3}(?:succeeded|success(?:ful)?|passed|complete[d]?)\b",
          "BUILD SUCCESSFUL in 3s", loose=True),
    Shape("pytest", "done", "the total",
          r"^=+ (?:\S+ ){0,3}\d+ (?:passed|skipped|deselected|xfailed|warnings?)\b",
          "=== 12 passed, 1 warning in 0.41s ==="),
    Shape("unittest", "done", "the total",
          r"^(?:Ran \d+ tests? in |OK(?: \(|$))", "Ran 12 tests in 0.004s"),
    Shape("jest", "done", "the total",
          r"^\W{0,2}(?:Tests?|Test Suites|Test Files|Snapshots):? {1,8}\d+ ", "Tests:       12 passed, 12 total"),
    Shape("cargo", "done", "the total",
          r"^test result: ", "test result: ok. 3 passed; 0 failed; 0 ignored"),
    Shape("tap", "done", "the total",
          r"^# (?:pass|fail|tests) {1,4}\d+", "# pass 12"),
    Shape("go", "done", "a package that passes",
          r"^ok {1,4}\t", "ok  \tgithub.com/a/b\t0.4s"),
    Shape("maven", "done", "the total",
          r"(?:\bTests run: \d+, |^(?:\[\w+\] )?(?:BUILD SUCCESS|Total time:))", "[INFO] BUILD SUCCESS"),
    Shape("gradle", "done", "what it came to",
          r"^(?:BUILD SUCCESSFUL|\d+ actionable tasks?)", "BUILD SUCCESSFUL in 3s"),
    Shape("npm", "done", "what was installed",
          r"^(?:added|removed|changed|up to date)\b.{0,40}\bpackages?\b",
          "added 12 packages, and audited 13 packages in 2s", loose=True),
    Shape("pip", "done", "what was installed",
          r"^Successfully (?:installed|built|uninstalled)\b", "Successfully installed a-1.0"),
    Shape("terraform", "done", "what it came to",
          r"^(?:Plan: \d|Apply complete!|No changes\.)", "Plan: 2 to add, 0 to change, 1 to destroy."),
    Shape("ansible", "done", "what it came to",
          r"^(?:PLAY RECAP|\S{1,80} {1,40}: ok=\d)", "PLAY RECAP ****"),
    Shape("git", "done", "the total of a diff",
          r"^ \d+ files? changed", " 3 files changed, 12 insertions(+), 4 deletions(-)"),
    Shape("git", "done", "the state of the tree",
          r"^(?:nothing to commit|no changes added|Your branch is |Already up to date|Everything up-to-date"
          r"|On branch |HEAD detached)",
          "On branch main", loose=True),
    Shape("sql", "done", "the total",
          r"^\(?\d+ rows?(?:\)| affected| in set| returned)", "(12 rows)", loose=True),
    Shape("any", "done", "the total, or the exit code (Chinese)",
          r"(?:(?:退出|返回)(?:码|代码|状态|值)\s?[:：为是]?\s?0|共\s?\d+\s?(?:个|项|条)|(?:通过|跳过|成功)\s?[:：]?\s?\d+)",
          "测试完成：通过 12", loose=True),
    # --- what went wrong ---
    Shape("GitHub Actions", "failure", "an error of the job",
          r"^(?:##\[error\]|::error)", "##[error]Resource not accessible", before=6),
    Shape("logs", "failure", "a record of level error",
          r"(?:^|[\s\[(<|:*])(?:FATAL|CRITICAL|SEVERE|ERROR|EMERG|ALERT|PANIC|ERR!?)(?=$|[\s\])>|:,!*-])",
          "2024-01-02 12:00:00,123 ERROR [main] worker died", after=2),
    Shape("logs", "failure", "a record of level error",
          r"(?i)[\"']?\b(?:level|lvl|severity|loglevel)[\"']?\s?[=:]\s?[\"']?(?:error|fatal|crit|panic|emerg"
          r"|alert)",
          "time=12:00 level=error msg=\"worker died\""),
    Shape("klog", "failure", "a record of level error",
          r"^[EF]\d{4} \d\d:\d\d:\d\d", "E0423 12:00:00.123456       1 reflector.go:138] failed"),
    Shape("JSON", "failure", "an exit code that says it failed",
          r"(?i)[\"'](?:exit_?(?:code|status)|return_?code)[\"']\s?:\s?[\"']?-?[1-9]",
          "{\"exit_code\": 2, \"stdout\": \"\"}"),
    Shape("JSON", "failure", "an error in a record",
          r"(?i)[\"'](?:error|err|errors|exception|stderr|traceback)[\"']\s?:"
          r"(?!\s?(?:\"\"|''|\[\s?\]|\{\s?\}|null|none|false|0\b))",
          "{\"ok\": false, \"error\": \"not found\"}"),
    Shape("any", "failure", "an error and its message",
          r"(?:^|[\s\])>:])(?i:error|fatal|fatal error|panic|failure|exception)(?:\[[\w-]{1,20}\])?: ?\S",
          "fatal: detected dubious ownership in repository at '/work'", after=3),
    Shape("any", "failure", "an exception and its message",
          r"^(?:E\s{1,8}|\s{0,12}|Uncaught |Unhandled |Caused by: "
          r"|Exception in thread \S{1,80} )(?:[\w$]{1,60}\.){0,8}[\w$]{0,60}(?:Error|Exception|Failure|Fault"
          r"|Interrupt|SystemExit|Panic|Warning)(?:: |:?$| \[)",
          "FileNotFoundError: [Errno 2] No such file or directory: 'a.csv'", before=1, after=1),
    Shape("Python", "failure", "a trace begins",
          r"^\s{0,12}Traceback \(most recent call last\)", "Traceback (most recent call last):", after=6),
    Shape("pytest", "failure", "a test that failed, and why",
          r"^(?:FAILED|ERROR) \S+", "FAILED tests/test_a.py::test_b - AssertionError: 1 == 2"),
    Shape("pytest", "failure", "what an assertion saw",
          r"^E {2,7}\S", "E       assert 1 == 2", before=2),
    Shape("pytest", "failure", "the test a report is of",
          r"^_{4,} .{1,200} _{4,}$", "________ TestA.test_b ________"),
    Shape("unittest", "failure", "a test that failed",
          r"^(?:FAIL|ERROR): \w+ \(", "FAIL: test_b (tests.test_a.TestA)", after=3),
    Shape("jest", "failure", "a test that failed",
          r"^\s{0,4}(?:FAIL {1,3}\S|● .|✕|✗|✘|×|❌|✖)", "  ● config › reads options", after=3, loose=True),
    Shape("jest", "failure", "what an assertion saw",
          r"^\s{0,12}(?:Expected|Received|Expected substring|Actual|actual|expected|got|want|left"
          r"|right)\b.{0,20}: ?\S",
          "    Expected: \"https://a.example\"", loose=True),
    Shape("mocha", "failure", "a test that failed",
          r"^\s{1,6}\d{1,4}\) .{1,200}:?$", "  1) Array #indexOf() should return -1:", loose=True),
    Shape("tap", "failure", "a test that failed",
          r"^\s{0,12}not ok \d+", "not ok 2 - reads options", after=6),
    Shape("cargo", "failure", "a test that failed",
          r"^(?:\s{0,12}(?:FAIL|SIGABRT|TIMEOUT) \[|test \S+ \.\.\. FAILED|---- \S+ stdout ----|failures:$)",
          "        FAIL [   9.875s] tests::macros compile_fail", after=4),
    Shape("rustc", "failure", "an error with its code",
          r"^\s{0,8}error(?:\[E\d{4}\])?: ", "error[E0308]: mismatched types", after=8),
    Shape("Rust", "failure", "it panicked",
          r"^\s{0,4}thread '.{1,100}' (?:\(\d+\) )?panicked at",
          "thread 'main' panicked at src/main.rs:2:5:", after=3),
    Shape("Go", "failure", "it panicked",
          r"^(?:panic: |fatal error: |goroutine \d+ \[)", "panic: runtime error: index out of range [3]", after=6),
    Shape("go", "failure", "a test that failed",
          r"^\s{0,12}--- FAIL: ", "--- FAIL: TestA (0.00s)", after=4),
    Shape("Java", "failure", "an exception",
          r"^(?:\s{0,8}Caused by: |Exception in thread )",
          "Caused by: java.lang.IllegalStateException: no", after=2),
    Shape("maven", "failure", "an error of the build",
          r"^\[ERROR\] ", "[ERROR] Failed to execute goal", after=1),
    Shape("gradle", "failure", "what failed, and why",
          r"^(?:> Task :\S+ FAILED|FAILURE: |\* What went wrong:|Execution failed for)",
          "> Task :test FAILED", after=4),
    Shape(".NET", "failure", "a compiler's error",
          r"(?:: error |\b)(?:CS|MSB|NU|NETSDK)\d{4}\b", "a.cs(3,5): error CS1002: ; expected", loose=True),
    Shape("tsc", "failure", "a compiler's error",
          r"\bTS\d{4,5}: ", "src/a.ts(3,5): error TS2322: Type 'string' is not assignable.", after=2),
    Shape("gcc", "failure", "a compiler's or linker's error",
          r"(?:undefined reference to|ld returned \d|cannot find -l|: fatal error: |: error: )",
          "a.c:3:5: error: expected ';' before '}'", after=3),
    Shape("make", "failure", "a target that failed",
          r"^g?make(?:\[\d+\])?: \*\*\*", "make: *** [Makefile:12: all] Error 2", before=4),
    Shape("CMake", "failure", "an error of the build",
          r"^CMake Error", "CMake Error at CMakeLists.txt:3 (find_package):", after=5),
    Shape("npm", "failure", "an error of the script",
          r"^(?:npm (?:ERR!|error)|\W{0,2}ELIFECYCLE|\W{0,2}ERR_\w+|error Command failed)",
          "npm ERR! code ELIFECYCLE", before=6),
    Shape("pre-commit", "failure", "a hook that failed",
          r"\.{5,}.{0,12}Failed", "mypy (stubtest)..........................................Failed", after=6),
    Shape("prettier", "failure", "a file that is not formatted",
          r"^\[(?:warn|error)\] \S", "[warn] src/a.js"),
    Shape("eslint", "failure", "an error at a line",
          r"^\s{1,4}\d+:\d+ {1,4}(?:error|✖)", "  12:5  error  'a' is not defined  no-undef"),
    Shape("docker", "failure", "a step that failed",
          r"^#\d+ ERROR", "#72 ERROR: process \"/bin/sh -c make\"", before=4),
    Shape("kubectl", "failure", "what is wrong with a pod",
          r"(?:^Error from server|\b(?:CrashLoopBackOff|ImagePullBackOff|ErrImagePull"
          r"|CreateContainer\w{0,20}Error|OOMKilled|Evicted|FailedScheduling|FailedMount|Unhealthy|BackOff)\b)",
          "web-7d4 0/1 CrashLoopBackOff 12 (3m ago) 40m", loose=True),
    Shape("systemd", "failure", "a unit that failed",
          r"(?:Failed with result|Main process exited|Failed to start)",
          "web.service: Failed with result 'exit-code'.", loose=True, before=1),
    Shape("ansible", "failure", "a task that failed",
          r"^(?:fatal|failed): \[", "fatal: [web1]: FAILED! => {\"msg\": \"no\"}"),
    Shape("git", "failure", "a conflict or a refusal",
          r"^(?:CONFLICT \(| ! \[|Automatic merge failed|<<<<<<< |\s{1,2}(?:both modified|both added"
          r"|deleted by (?:us|them)):)",
          "CONFLICT (content): Merge conflict in a.py", after=1),
    Shape("HTTP", "failure", "a request that failed",
          r"(?i)\b(?:HTTP(?:/\d(?:\.\d)?)?|status(?:[ _]code)?|code)[\"']?[ :=]{1,3}[\"']?[45]\d\d\b",
          "gh: Resource not accessible by integration (HTTP 403)", loose=True),
    Shape("any", "failure", "it crashed",
          words="segmentation fault|core dumped|out of memory|oomkilled|stack overflow|bus error|assertion failed"
          "|assertionerror|deadlock|double free|bad gateway|service unavailable|too many requests"
          "|internal server error",
          example="Segmentation fault (core dumped)", before=1),
    Shape("shell", "failure", "why the shell could not",
          words="command not found|no such file or directory|permission denied|is a directory|not a directory"
          "|no space left on device|read-only file system|argument list too long|broken pipe"
          "|too many open files|illegal option|unrecognized option|is not recognized as",
          example="bash: foo: command not found"),
    Shape("network", "failure", "why the network could not",
          words="connection refused|connection reset|connection closed|connection timed out|connection aborted"
          "|could not resolve host|name or service not known|network is unreachable|no route to host"
          "|max retries exceeded|certificate verify failed|tls handshake|etimedout|econnrefused|enotfound",
          example="curl: (7) Failed to connect: Connection refused"),
    Shape("any", "failure", "words of failure",
          words="failed|failure|failures|cannot|can't|could not|couldn't|unable to|not permitted|denied|unauthorized"
          "|forbidden|timeout|timed out|aborted|crashed|killed|terminated|not found|does not exist|unexpected"
          "|mismatch|mismatched|rejected|not accessible|unresolved|undefined|refused|corrupt|corrupted|invalid",
          example="examples/a.test.tsx failed to pass within 2 retries"),
    Shape("any", "failure", "an error and its message (Chinese)",
          r"(?:错误|异常|失败|致命|严重)(?:\s?[:：\]】]|\s?[(（]|$)", "错误：找不到文件 a.csv", after=2),
    Shape("any", "failure", "words of failure (Chinese)",
          words="错误|失败|异常|致命|崩溃|超时|拒绝|无法|未找到|找不到|不存在|权限不足|中止|终止|内存不足|磁盘空间不足|冲突|不匹配|报错",
          example="连接数据库失败，重试 3 次"),
    # --- where ---
    Shape("Python", "place", "a frame of a trace",
          r"^\s{1,12}File \".{1,200}\", line \d+", "  File \"/app/loader.py\", line 12, in load", after=1),
    Shape("pytest", "place", "where it failed",
          r"^\S{1,200}\.py:\d+: (?:in \S|\w{0,60}(?:Error|Exception|Failed|Warning|Failure|Exit)\b|$)",
          "tests/lib/__init__.py:681: AssertionError"),
    Shape("pytest", "place", "the line that failed",
          r"^> {2,7}\S", ">       assert a == b"),
    Shape("doctest", "place", "where it failed",
          r"(?:^File \".{1,200}\", line \d+, in|:\d+: DocTestFailure)",
          "/doc/callbacks.rst:48: DocTestFailure", before=8),
    Shape("Java", "place", "a frame of a trace",
          r"^\s{1,8}(?:at [\w.$<>/@-]{1,200}\(|\.\.\. \d+ more)", "\tat com.example.Main.run(Main.java:12)"),
    Shape("JavaScript", "place", "a frame of a trace",
          r"^\s{1,12}at (?:.{1,160} \()?\S{1,300}:\d+:\d+\)?$", "    at async runTest (/app/run-tests.js:927:29)"),
    Shape("JavaScript", "place", "the line that failed",
          r"^\s{0,8}>\s{1,4}\d+ \|", "    > 32 |     expect(a).toBe(b)"),
    Shape("Rust", "place", "where it failed",
          r"^\s{1,8}--> \S{1,200}:\d+", "   --> tests/fail/a.rs:5:5", after=4),
    Shape("Go", "place", "where it failed",
          r"^\s{1,8}\S{1,200}\.go:\d+", "    a_test.go:12: got 1, want 2"),
    Shape(".NET", "place", "a frame of a trace",
          r"^\s{1,8}at \S.{1,200} in \S{1,200}:line \d+", "   at A.B() in /src/a.cs:line 12"),
    Shape("Ruby", "place", "a frame of a trace",
          r"^\s{0,8}(?:from |# )?\S{1,200}\.rb:\d+(?::in|$)", "  from a.rb:3:in `run'"),
    Shape("PHP", "place", "a frame of a trace",
          r"^#\d+ \S{1,200}\(\d+\): ", "#0 /app/a.php(12): run()"),
    Shape("docker", "place", "where it failed",
          r"^(?:\S{0,40}Dockerfile\S{0,40}:\d+$|\s{0,8}\d+ \| >>> )", "Dockerfile:336", after=4),
    Shape("any", "place", "a finding at a line",
          r"^\s{0,8}(?:[A-Za-z]:)?[^\s:()'\"]{1,200}\.\w{1,8}(?::\d+"
          r"|\(\d+(?:,\d+)?\))(?::\d+)?:? (?:- )?(?:(?:fatal )?(?:error|warning|note|panic)|[A-Z]{1,4}\d{2,5}\b"
          r"|undefined)",
          "pandas/compat/pyarrow.py:76: error: Module has no attribute"),
    Shape("GitHub Actions", "place", "the job",
          r"^Complete job name: ", "Complete job name: Cleanup artifacts"),
    # --- what changed ---
    Shape("git", "change", "the head of a diff",
          r"^(?:diff --git |index [0-9a-f]{7,40}\.\.|--- (?:a/|/dev/null)|\+\+\+ (?:b/|/dev/null)|(?:new"
          r"|deleted) file mode|rename (?:from|to) |similarity index|Binary files )",
          "diff --git a/a.py b/a.py"),
    Shape("diff", "change", "where a hunk stands",
          r"^(?:@@ -\d|(?:---|\+\+\+) \S{1,200}\t)", "@@ -1,3 +1,4 @@ def load(path):"),
    Shape("git", "change", "the files of a status",
          r"^(?:Changes (?:to be committed|not staged)|Untracked files|Unmerged paths|Ignored files)",
          "Untracked files:", after=BLOCK),
    Shape("git", "change", "a changed file",
          r"^\s{0,8}(?:modified|new file|deleted|renamed|copied|typechange):\s", "\tmodified:   src/app.py"),
    Shape("git", "change", "a changed file",
          r"^(?:[MADRCUT][MADRCUT ]|[ MADRCUT][MADRCUT]|\?\?|!!) \S", "?? notes.txt"),
    Shape("git", "change", "which commit",
          r"^(?:commit [0-9a-f]{7,40}|Merge: [0-9a-f]{7,})", "commit 3f2a9c1d0e"),
    Shape("git", "change", "a changed file",
          r"^ \S.{0,160}\S {1,80}\| {1,6}(?:\d+|Bin)", " src/app.py | 12 +++---", loose=True),
    Shape("git", "change", "what was committed or pushed",
          r"^(?: create mode \d|\s{0,3}[0-9a-f]{7,40}\.\.[0-9a-f]{7,40} |To \S+$|\[\S{1,80} [0-9a-f]{7,40}\])",
          "[main 3f2a9c1] Mend the loader", loose=True),
    Shape("terraform", "change", "what would change",
          r"^\s{0,8}# \S{1,200} (?:will be|must be|has been)", "  # aws_instance.web will be destroyed", loose=True),
    Shape("kubectl", "change", "what changed",
          r"^\S{1,80}/\S{1,120} (?:created|configured|unchanged|deleted|patched|scaled)\b",
          "deployment.apps/web configured", loose=True),
    # --- what may go wrong ---
    Shape("any", "warning", "a warning",
          r"(?i)(?:^|[\s\[(<|:*])warn(?:ing|ings)?(?:\[[\w-]{1,20}\])?(?=[\])>|:*-]|$)",
          "warning: unused variable: `a`", after=1),
    Shape("logs", "warning", "a record of level warning",
          r"(?:^|[\s\[(<|:*])WARN(?:ING)?(?=$|[\s\])>|:*-])", "12:00:00 WARN [main] slow"),
    Shape("GitHub Actions", "warning", "a warning of the job",
          r"^(?:##\[(?:warning|notice)\]|::(?:warning|notice))", "##[warning]Node 16 is deprecated"),
    Shape("Python", "warning", "a warning",
          r"^\s{0,12}\S{1,200}:\d+: \w{1,60}Warning: ", "a.py:3: DeprecationWarning: use b"),
    Shape("any", "warning", "a warning",
          words="deprecated|deprecation|vulnerability|vulnerabilities",
          example="npm notice a@1 is deprecated"),
    Shape("any", "warning", "a warning (Chinese)",
          r"(?:警告|告警|注意)\s?[:：\]】]", "警告：磁盘快满了"),
    # --- what was run ---
    Shape("GitHub Actions", "step", "the step that failed",
          r"^##\[group\]", "##[group]Run yarn prettier-check", after=2, until="##[endgroup]"),
    Shape("GitHub Actions", "step", "the command that failed",
          r"^\[command\]", "[command]/usr/bin/git checkout"),
    Shape("shell", "step", "the command that failed",
          r"^(?:\$ |\+{1,3} |> |\S{1,60}@\S{1,60}:\S{0,80}[$#] |PS [A-Z]:\\.{0,80}> )\S", "$ make test"),
    Shape("docker", "step", "the step that failed",
          r"^(?:#\d+ \[|Step \d+/\d+ : )", "#72 [nydus 1/2] RUN wget https://a.example"),
    Shape("gradle", "step", "the task that failed",
          r"^> Task :", "> Task :compileJava"),
    Shape("maven", "step", "the module that failed",
          r"^\[INFO\] (?:---|Building )", "[INFO] --- surefire:3.0:test (default-test) @ core ---"),
    Shape("ansible", "step", "the task that failed",
          r"^(?:TASK|PLAY) \[", "TASK [install nginx] ****"),
    Shape("pytest", "step", "what a report is of",
          r"^=+ (?:FAILURES|ERRORS|short test summary info|warnings summary) =+", "===== FAILURES ====="),
    Shape("cargo", "step", "the crate or test that failed",
          r"^\s{0,12}(?:Compiling|Running|Doc-tests) \S", "   Compiling secateurs v0.1.0"),
    Shape("go", "step", "the test that failed",
          r"^=== RUN ", "=== RUN   TestA"),
    Shape("make", "step", "the folder that failed",
          r"^g?make(?:\[\d+\])?: Entering directory", "make[1]: Entering directory '/src'"),
)  # fmt: skip

# What any of those matches that begin with `^`: most lines match none, which is seen at once so
BEGINNINGS = re.compile(
    "|".join(
        f"(?i:{one.pattern[4:]})" if one.pattern.startswith("(?i)") else f"(?:{one.pattern})"
        for one in SHAPES
        if one.anchored
    )
)

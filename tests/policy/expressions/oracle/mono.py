"""Runs the list of expressions through Mono's C# compiler and Newtonsoft.Json, and writes down what came out.

Mono runs with `--interpreter`: its just-in-time compiler folds a constant `Math.Round(2.5)` to 3.
Debian packages: mono-mcs, mono-csharp-shell, libnewtonsoft-json5.0-cil (Newtonsoft.Json 6.0.8).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CASES = HERE / "cases.txt"
EXPECTED = HERE / "expected.txt"
NEWTONSOFT = Path("/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll")
DEADLINE_SECONDS = 120

_USINGS = (
    "System",
    "System.Collections.Generic",
    "System.Globalization",
    "System.Linq",
    "System.Net",
    "System.Security.Cryptography",
    "System.Text",
    "System.Text.RegularExpressions",
    "System.Xml.Linq",
    "Newtonsoft.Json",
    "Newtonsoft.Json.Linq",
)
_SHOW = r"""
static string Q(string s) {
  var b = new StringBuilder("\"");
  foreach (char c in s) {
    if (c == '"' || c == '\\') b.Append('\\').Append(c);
    else if (c < 32 || c > 126) b.AppendFormat("\\u{0:x4}", (int)c);
    else b.Append(c);
  }
  return b.Append('"').ToString();
}
static string Show(object o) {
  if (o == null) return "null";
  if (o is string) return "string " + Q((string)o);
  if (o is char) return "char " + Q(o.ToString());
  if (o is bool) return "bool " + o;
  if (o is double) return "double " + ((double)o).ToString("R");
  if (o is float) return "float " + o;
  if (o is JToken) return "json " + Q(((JToken)o).ToString(Formatting.None));
  if (o is Enum) return "enum " + o;
  if (o is IConvertible) return o.GetType().Name + " " + o;
  var seq = o as System.Collections.IEnumerable;
  if (seq != null) {
    var parts = new List<string>();
    foreach (var x in seq) parts.Add(Show(x));
    return "[" + string.Join(", ", parts) + "]"; }
  return "object " + Q(o.ToString());
}
static void Run(int n, Func<object> f) {
  string r;
  try { r = Show(f()); } catch (Exception e) { r = "throws " + e.GetType().FullName; }
  Console.WriteLine(n + "\t" + r);
}
"""


def read_cases() -> list[tuple[str, str]]:
    """(text, kind) of every case; a case in braces is a block."""
    cases: list[tuple[str, str]] = []
    for line in CASES.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        block = line.startswith("{ ")
        cases.append((line[1:-1] if block else line, "block" if block else "inline"))
    return cases


def read_expected() -> dict[str, str]:
    """case line -> what Mono printed for it."""
    answers: dict[str, str] = {}
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            answer, _, text = line.partition("\t")
            answers[text] = answer
    return answers


def missing_tools() -> list[str]:
    """What is needed to run Mono here and is not installed."""
    missing = [tool for tool in ("mcs", "mono") if shutil.which(tool) is None]
    return missing if NEWTONSOFT.exists() else [*missing, str(NEWTONSOFT)]


def mono_version() -> str:
    return subprocess.run(
        ["mono", "--version"], capture_output=True, text=True, check=True, timeout=20
    ).stdout.splitlines()[0]


def source_of(cases: list[tuple[str, str]]) -> str:
    methods = []
    for number, (text, kind) in enumerate(cases):
        body = text if kind == "block" else f"return ({text}\n);"
        methods.append(f"static object Case{number}() {{\n{body}\n}}")
    calls = "\n".join(f"Run({n}, Case{n});" for n in range(len(cases)))
    usings = "\n".join(f"using {name};" for name in _USINGS)
    main = (
        "static void Main() { System.Threading.Thread.CurrentThread.CurrentCulture = CultureInfo.InvariantCulture;\n"
        f"{calls}\n}}"
    )
    listed = "\n".join(methods)
    return f"{usings}\nclass Oracle {{\n{_SHOW}\n{listed}\n{main}\n}}\n"


def ask_mono(cases: list[tuple[str, str]]) -> list[str]:
    """What Mono answers to each case. Raises CalledProcessError with the compiler's output."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "oracle.cs"
        program.write_text(source_of(cases), encoding="utf-8")
        shutil.copy(NEWTONSOFT, folder)
        references = [f"-r:{NEWTONSOFT}", "-r:System.Xml.Linq", "-r:System.Xml"]
        compile_command = [
            "mcs",
            "-langversion:7.2",
            "-nowarn:0162,0219,0168,0184,0183,1718",
            *references,
            str(program),
        ]
        compiled = subprocess.run(compile_command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        if compiled.returncode:
            raise RuntimeError(compiled.stderr or compiled.stdout)
        run = subprocess.run(
            ["mono", "--interpreter", str(program.with_suffix(".exe"))],
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_SECONDS,
            env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        )
    answers = dict(line.split("\t", 1) for line in run.stdout.splitlines() if re.match(r"\d+\t", line))
    return [answers[str(number)] for number in range(len(cases))]


def case_line(text: str, kind: str) -> str:
    return f"{{{text}}}" if kind == "block" else text


def record() -> int:
    """Write expected.txt from Mono's answers; the number of cases."""
    cases = read_cases()
    answers = ask_mono(cases)
    if len(answers) != len(cases):
        raise RuntimeError(f"{len(cases)} cases, {len(answers)} answers")
    head = (
        f"# {mono_version()}\n# Newtonsoft.Json 6.0.8. Written by python -m tests.policy.expressions.oracle --record\n"
    )
    lines = [f"{answer}\t{case_line(*case)}" for case, answer in zip(cases, answers, strict=True)]
    EXPECTED.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return len(cases)

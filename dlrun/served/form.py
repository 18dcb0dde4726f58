"""A page with a form for one row: a field for each column, or a place for an image; it needs nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from dlrun.components.preprocess._categories import CategoryEncoder
from dlrun.served.bodies import image_field
from dlrun.shapes import numel, show
from dlrun.trained.columns import names_of_chances
from dlrun.trained.run import TrainedInput, TrainedRun
from dlrun.views.html_page import html, page

FEW = 8
"""Fields that stand below each other; more of them stand side by side too."""
NAMED = 5
"""What is predicted is named, up to so many."""
STYLE = """
section { position: sticky; top: 1rem; align-self: start; }
main { display: grid; grid-template-columns: minmax(18rem, 2fr) 3fr; gap: 2.5rem; margin-top: 1.5rem; }
@media (max-width: 48rem) { main { grid-template-columns: 1fr; } }
form { display: grid; gap: .8rem; align-content: start; align-items: end; }
form.many { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); } .many button { grid-column: 1 / -1; }
label { display: grid; gap: .2rem; overflow-wrap: anywhere; }
label span { color: var(--soft); font-size: .85em; }
input, select, textarea, button { font: inherit; color: inherit; background: var(--back); padding: .4rem .6rem;
  border: 1px solid var(--line); border-radius: .4rem; box-sizing: border-box; width: 100%; min-width: 0; }
button { background: var(--colour-0); border-color: var(--colour-0); color: var(--back); cursor: pointer; }
:focus-visible { outline: 2px solid var(--colour-0); outline-offset: 1px; }
.drop { border: 2px dashed var(--line); border-radius: .6rem; padding: 2rem 1rem; text-align: center; cursor: pointer;
  color: var(--soft); justify-items: center; }
.drop.over { border-color: var(--colour-0); } .drop img { max-width: 100%; max-height: 16rem; }
.drop input { position: absolute; opacity: 0; width: 1px; height: 1px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 0 0 1rem; }
dt { color: var(--soft); overflow-wrap: anywhere; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
dd.chance { font-weight: 400; display: grid; grid-template-columns: 1fr 4rem; gap: .6rem; align-items: center;
  font-variant-numeric: tabular-nums; } dd.chance i { display: block; height: .7rem; border-radius: .2rem;
  background: var(--colour-0); min-width: 1px; }
.wrong { color: var(--colour-1); white-space: pre-wrap; }
"""
SCRIPT = """
const about = JSON.parse(document.getElementById("about").textContent), result = document.getElementById("result");
const make = (tag, text, kind) => { const one = document.createElement(tag); one.textContent = text ?? "";
  if (kind) one.className = kind; return one; };
const shown = value => value === null ? "no prediction"
  : typeof value === "number" ? String(Number(value.toPrecision(6))) : value;
let last = 0;
async function ask(body, type) {
  const number = ++last;
  result.setAttribute("aria-busy", "true");
  let found, wrong;
  try {
    const answer = await fetch("predict", {method: "POST", body, headers: {"Content-Type": type}});
    const said = await answer.json();
    if (answer.ok) found = said; else wrong = said.error + (said.help ? "\\n" + said.help : "");
  } catch { wrong = "there is no answer: is the server still there?"; }
  if (number !== last) return;
  result.removeAttribute("aria-busy");
  result.replaceChildren(...(wrong !== undefined ? [make("p", wrong, "wrong")] : found.slice(0, 50).map(lines)));
}
function lines(row) {
  const list = make("dl"), chances = new Set(about.chances);
  for (const [name, value] of Object.entries(row)) {
    if (name === "row") continue;
    list.append(make("dt", name));
    if (!chances.has(name) || value === null) { list.append(make("dd", shown(value))); continue; }
    const place = make("dd", "", "chance"), bar = make("i");
    bar.style.width = 100 * value + "%";
    const track = make("div"); track.append(bar);
    place.append(track, make("span", value.toFixed(4)));
    list.append(place);
  }
  return list;
}
const form = document.querySelector("form"), drop = document.querySelector(".drop");
form?.addEventListener("submit", event => {
  event.preventDefault();
  const row = {};
  for (const field of form.querySelectorAll("[data-is]")) {
    const text = field.value.trim(), is = field.dataset.is;
    row[field.name] = text === "" ? null : is === "number" ? Number(text)
      : is === "numbers" ? text.split(/[\\s,;]+/).filter(Boolean).map(Number) : text;
  }
  ask(JSON.stringify([row]), "application/json");
});
function send(file) {
  if (!file) return;
  const picture = new Image();
  picture.alt = file.name; picture.src = URL.createObjectURL(file);
  drop.querySelector("img")?.remove(); drop.prepend(picture);
  ask(file, file.type || "image/unknown");
}
drop?.querySelector("input").addEventListener("change", event => send(event.target.files[0]));
for (const name of ["dragover", "dragleave", "drop"]) drop?.addEventListener(name, event => {
  event.preventDefault();
  drop.classList.toggle("over", name === "dragover");
  if (name === "drop") send(event.dataTransfer.files[0]);
});
"""


def form(run: TrainedRun) -> str:
    """The page."""
    about = {"chances": [name for output in run.outputs for name in names_of_chances(output)]}
    data = json.dumps(about).replace("<", "\\u003c")
    names = list(dict.fromkeys(name for output in run.outputs for name in output.fields))
    says = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    parts = [
        f"<p>Predicts {html(says)}.</p>" if says else "",
        "<main>",
        _drop() if image_field(run) else _fields(run),
        '<section><div id="result" role="status"><p>The prediction comes here.</p></div></section>',
        "</main>",
        f'<script type="application/json" id="about">{data}</script>',
        f"<script>{SCRIPT}</script>",
    ]
    return page(run.reading.sections["name"], parts, STYLE)


def _drop() -> str:
    return (
        '<label class="drop"><span>Drop an image here, or choose one.</span>'
        '<input type="file" accept="image/*" aria-label="image"></label>'
    )


def _fields(run: TrainedRun) -> str:
    fields = {name: control for entry in run.inputs for name, control in _of_input(entry)}
    begin = '<form class="many">' if len(fields) > FEW else "<form>"
    return "\n".join([begin, *fields.values(), '<button type="submit">Predict</button>', "</form>"])


def _of_input(entry: TrainedInput) -> Iterator[tuple[str, str]]:
    is_list = entry.encoding is None and len(entry.types) != numel(entry.shape)
    for name, kind in entry.types.items():
        choices = _categories(entry, name)
        if is_list:
            note = f"numbers of {show(entry.shape)}"
            control = _tag("textarea", name, "numbers", "rows", "3") + "</textarea>"
        elif choices:
            note, control = "", _choice(name, choices)
        elif kind == "number" and name not in entry.texts:
            needed = () if name in entry.lacking else ("required", "")
            note = "may be empty" if name in entry.lacking else ""
            control = _tag("input", name, "number", "type", "number", "step", "any", *needed)
        else:
            note = "a time, such as 2026-03-31 14:30" if kind == "time" else ""
            control = _tag("input", name, "text")
        beside = f" <span>{html(note)}</span>" if note else ""
        yield name, f"<label>{html(name)}{beside}{control}</label>"


def _choice(name: str, choices: Sequence[str]) -> str:
    options = "".join(f'<option value="{escape(one)}">{html(one)}</option>' for one in choices)
    return f'{_tag("select", name, "text")}{options}<option value="">(no value)</option></select>'


def _tag(tag: str, name: str, kind: str, *attributes: str) -> str:
    pairs: Any = zip(attributes[::2], attributes[1::2], strict=True)
    more = "".join(f' {key}="{escape(value)}"' for key, value in pairs)
    return f'<{tag} name="{escape(name)}" data-is="{kind}"{more}>'


def _categories(entry: TrainedInput, name: str) -> Sequence[str]:
    """The categories that have a place of their own."""
    for one in entry.encoding.steps if entry.encoding else ():
        if isinstance(one.step, CategoryEncoder) and name in one.learned:
            return one.learned[name]["categories"]
    return ()

// The page on which pictures are searched, in the order in which a person works.
import { ask, post, upload, watch } from "./api.js";
import { Frames } from "./frames.js";
import { order, show } from "./gallery.js";
import { Scribble, button, element } from "./scribble.js";

const $ = (id) => document.getElementById(id);
const now = { picture: null, run: null, reference: 0, sample: null, methods: [], knobs: [], values: {} };
const frames = new Frames($("whole"), $("preview"), moveFrames);
let noise = null, only = null;

// --- a sentence where something goes wrong, and buttons that wait ---

async function attempt(place, work, waiting = []) {
  $(place).textContent = "";
  waiting.forEach((one) => (one.disabled = true));
  try {
    return await work();
  } catch (error) {
    $(place).textContent = error.message;
    $(place).scrollIntoView({ block: "nearest" });
    return null;
  } finally {
    waiting.forEach((one) => (one.disabled = false));
  }
}

// --- 1. the picture ---

async function take(words, asking) {
  $("picture-status").textContent = words;
  const picture = await attempt("picture-error", asking, [...$("portraits").children]);
  $("picture-status").textContent = "";
  if (picture) seen(picture);
}

function seen(picture) {
  now.picture = picture;
  const address = (name) => `/api/pictures/${picture.id}/${name}`;
  $("seen").hidden = $("search").hidden = false;
  $("whole-figure").hidden = !picture.preview;
  if (picture.preview) {
    const found = picture.references.filter((reference) => reference.frame).map((reference) => reference.frame);
    $("preview").src = address(picture.preview);
    frames.show(found, picture.size);
    $("frames-words").textContent = found.length
      ? "Each frame becomes a reference. Drag it, or its handle; arrow keys move it too. "
      : "The whole picture is the reference. ";
  }
  $("reference-choice").replaceChildren(
    ...(picture.references.length < 2 ? [] : picture.references.map((_, index) => {
      const choice = button(`Face ${index}`, () => showReference(index));
      choice.setAttribute("aria-pressed", String(index === 0));
      return choice;
    })),
  );
  $("notices").replaceChildren(...picture.notices.map((notice) => element("li", {}, notice)));
  noise = new Scribble($("scribble"), picture.resolution, "Where samples may differ", knobsFollow);
  showReference(0);
  knobsFollow();
}

function showReference(index) {
  const reference = now.picture.references[index], [width, height] = reference.lr_size;
  const address = `/api/pictures/${now.picture.id}/${reference.lr}`;
  $("lr").src = address;
  $("lr-words").textContent = `The reference: ${width} × ${height} pixels are all that the search sees. Samples have ` +
    `${now.picture.resolution} × ${now.picture.resolution}.`;
  noise.show(address, true);
  [...$("reference-choice").children].forEach((one, i) => one.setAttribute("aria-pressed", String(i === index)));
}

function moveFrames(moved) {
  take("Cutting the faces out …", () => post(`/api/pictures/${now.picture.id}/faces`, { faces: moved }));
}

$("add-frame").addEventListener("click", () => frames.add());
$("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) take("Looking at the picture …", () => upload(file));
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    const file = event.dataTransfer?.files[0];
    if (kind === "drop" && file) take("Looking at the picture …", () => upload(file));
  });
}
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files || [])][0];
  if (file) take("Looking at the picture …", () => upload(file));
});

// --- 2. the method and its knobs ---

function chooseMethod(name) {
  $("method").value = name;
  now.values = {};
  const method = now.methods.find((known) => known.name === name);
  $("method-words").textContent = method.words;
  knobsFollow();
}

// The knobs of the method; a scribble adds that of the noise.
function knobsFollow() {
  const method = now.methods.find((known) => known.name === $("method").value);
  const settings = { ...method.settings[now.picture?.kind || "portrait"] };
  if (noise && !noise.empty) for (const [key, value] of Object.entries(now.scribble)) settings[key] ??= value;
  $("knobs").replaceChildren(...now.knobs.filter((knob) => knob.key in settings).map((knob) => {
    const row = element("div", { className: "knob" });
    const label = element("label", { htmlFor: knob.key }, knob.label);
    if (knob.unit) label.append(" ", element("small", {}, knob.unit));
    const input = element("input", {
      type: "number", id: knob.key, min: knob.lowest, max: knob.highest, step: knob.step,
      value: now.values[knob.key] ?? settings[knob.key],
    });
    input.addEventListener("input", () => (now.values[knob.key] = Number(input.value)));
    row.append(label, input);
    return row;
  }));
}

$("method").addEventListener("change", () => chooseMethod($("method").value));
$("set-explore").addEventListener("click", () => chooseMethod("explore"));
$("set-report").addEventListener("click", () => chooseMethod("report"));

// --- the search ---

$("start").addEventListener("click", () => attempt("search-error", async () => {
  const asked = { picture: now.picture.id, method: $("method").value, knobs: now.values };
  if (noise && !noise.empty) asked.scribble = noise.mask;
  follow(await post("/api/runs", asked));
}, [$("start")]));
$("stop").addEventListener("click", () => attempt("search-error", () => post(`/api/runs/${now.run.id}/stop`), [$("stop")]));

// A search that went on while the page was loaded again.
async function takeUp(run) {
  const picture = await attempt("picture-error", () => ask(`/api/pictures/${run.picture}`));
  if (picture) seen(picture);
  follow(run);
}

function follow(run) {
  $("live").replaceChildren();
  progress(run);
  $("progress").scrollIntoView({ block: "center" });
  watch(run.id, progress, () => ($("search-error").textContent = "The studio does not answer: is it still running?"));
}

function progress(run) {
  now.run = run;
  const running = ["waiting", "running"].includes(run.state), { step, steps, seconds_left, pictures } = run.progress;
  $("progress").hidden = !running;
  $("stop").hidden = !running;
  $("start").disabled = $("vary-start").disabled = running;
  if (running) $("bar").value = steps ? step / steps : 0;
  const waiting = run.position ? `Waiting: ${run.position} before this one.` : "Preparing …";
  const left = seconds_left === undefined ? "" : `, ${Math.max(1, Math.round(seconds_left))} s left`;
  $("progress-words").textContent = run.stopped ? "Stopping …" : steps ? `Pass ${step} of ${steps}${left}` : waiting;
  // A sample that is good enough leaves the search; its last picture stays.
  for (const [row, address] of pictures || []) {
    while ($("live").children.length <= row) $("live").append(element("img", { alt: `Sample ${$("live").children.length} so far` }));
    $("live").children[row].src = address;
  }
  if (!running && run.failure) $("search-error").textContent = run.failure;
  if (run.state === "done" && run.references.length) finished(run);
}

// --- 3. the samples ---

function finished(run) {
  now.run = run;
  for (const id of ["results", "take"]) $(id).hidden = false;
  const choices = run.references.length < 2 ? [] : run.references.map((reference, index) => button(reference.name, () => showSamples(index)));
  $("face-choice").replaceChildren(...choices);
  $("bundle").href = `/api/runs/${run.id}/bundle.zip`;
  $("command").textContent = run.command;
  showSamples(0);
  $("results").scrollIntoView();
  remember(run);
}

function fileOf(run, reference) {
  return (name) => `/api/runs/${run.id}/files/${encodeURIComponent(reference.name)}/${name}`;
}

function showSamples(index) {
  now.reference = index;
  const reference = now.run.references[index];
  const places = { gallery: $("gallery"), summary: $("summary"), remarks: $("remarks") };
  show(reference, fileOf(now.run, reference), places, begin);
  const found = reference.samples.length, faithful = reference.samples.filter((sample) => sample.faithful).length;
  const apart = reference.distance ? ` They are ${reference.distance.toFixed(1)} grey levels apart.` : "";
  const spread = (value) => `${(value ?? 0).toFixed(1)} grey levels`;
  const only_here = reference.vary
    ? ` They spread by ${spread(reference.vary.inside)} where you scribbled, and by ${spread(reference.vary.outside)} elsewhere.` : "";
  const stopped = now.run.stopped ? " The search was stopped early." : "";
  $("results-words").textContent = `${faithful} of ${found} samples agree with the reference.${apart}${only_here}${stopped}`;
  [...$("face-choice").children].forEach((one, i) => one.setAttribute("aria-pressed", String(i === index)));
  $("order").value = "found";
  blend();
  $("vary").hidden = false;
  $("vary-board").hidden = true;
  $("vary-words").textContent = "Choose “More like this” below a sample.";
}

function blend() {
  const share = Number($("blend").value) / 100;
  for (const over of $("gallery").querySelectorAll(".over")) over.style.opacity = share || "";
}
$("blend").addEventListener("input", blend);
$("order").addEventListener("change", () => order($("gallery"), $("order").value));

// --- 4. more like one of them ---

function begin(sample) {
  now.sample = sample;
  const reference = now.run.references[now.reference];
  $("vary-board").hidden = false;
  $("vary-words").textContent = `Scribble on sample ${sample.sample} where the new samples may differ; everything else stays.`;
  const scribbled = () => ($("vary-error").textContent = "");
  only = new Scribble($("vary-scribble"), now.picture.resolution, "Where the new samples may differ", scribbled);
  only.show(fileOf(now.run, reference)(sample.picture), false);
  $("vary").scrollIntoView();
}

$("vary-start").addEventListener("click", () => attempt("vary-error", async () => {
  if (only.empty) throw new Error("Scribble first: without a scribble everything would stay as it is.");
  const reference = now.run.references[now.reference].name;
  const asked = { reference, sample: now.sample.sample, scribble: only.mask };
  follow(await post(`/api/runs/${now.run.id}/vary`, asked));
}, [$("vary-start")]));

// --- 5. taking it home, and what was searched before ---

$("copy").addEventListener("click", async () => {
  // Browsers have a clipboard for pages of this machine, and for others over https.
  if (navigator.clipboard) await navigator.clipboard.writeText($("command").textContent);
  else getSelection().selectAllChildren($("command"));
  $("copy").textContent = navigator.clipboard ? "Copied" : "Selected: copy it with Ctrl+C";
  setTimeout(() => ($("copy").textContent = "Copy the command"), 2000);
});

function remember(run) {
  if ($(`run-${run.id}`) || run.state !== "done" || !run.references.length) return;
  $("history").hidden = false;
  const again = button(`${run.title}, ${run.references[0].samples.length} samples`, () => finished(run));
  again.id = `run-${run.id}`;
  const first = run.references[0].samples.find((sample) => sample.picture);
  if (first) again.prepend(element("img", { src: fileOf(run, run.references[0])(first.picture), alt: "" }));
  again.className = "history";
  $("history-list").append(again);
}

// --- what is offered ---

const offered = await attempt("picture-error", () => ask("/api/choices"));
if (offered) {
  now.methods = offered.methods;
  now.knobs = offered.knobs;
  now.scribble = offered.scribble;
  $("portraits").replaceChildren(...Array.from({ length: offered.portraits }, (_, number) =>
    button(`Portrait ${number + 1}`, () => take("Drawing the portrait …", () => post(`/api/portraits/${number}`)))));
  $("method").replaceChildren(...now.methods.map((method) => element("option", { value: method.name }, method.name)));
  chooseMethod("explore");
  offered.history.forEach(remember);
  const going = offered.history.find((run) => ["waiting", "running"].includes(run.state));
  if (going) takeUp(going);
}

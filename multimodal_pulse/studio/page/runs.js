// The second view: all runs in a table that sorts, a plot of one measure against another, and the pictures of a run.
import { ask } from "./api.js";
import { lines, scatter } from "./plot.js";
import { button, element } from "./scribble.js";

const $ = (id) => document.getElementById(id);
const WORDS = {
  psnr: "PSNR, dB", ssim: "SSIM", lpips: "LPIPS", lr_psnr: "LR-PSNR, dB", lr_psnr_float: "LR-PSNR before rounding, dB",
  lr_psnr_found: "LR-PSNR found, dB", lr_psnr_ntire: "LR-PSNR as NTIRE, dB", realism: "realism", psnr_best: "best PSNR, dB",
  psnr_mean_image: "PSNR of the mean, dB", "diversity.rms": "distance, grey levels", "diversity.lpips": "LPIPS between samples",
  "diversity.pixel_std": "spread of a pixel", "diversity.lpips_score": "NTIRE score", "diversity.mse_score": "MSE score",
  calibration: "calibration", gain: "gain, dB",
};
const LESS_IS_BETTER = new Set(["lpips"]);
const shown = ["psnr", "lpips", "lr_psnr", "diversity.rms", "realism"];
const MOST_SHOWN = 24; // references of a run whose pictures are shown
const words = (key) => WORDS[key] || key;
let runs = [], sorted = { key: "time", down: true };

function inGroup() {
  const group = $("group").value;
  return group === "all" ? runs : runs.filter((run) => run.sweep === group);
}

// What tells a run from the others of its sweep: its last folder; of others the path.
const nameOf = (run) => (run.sweep && $("group").value === run.sweep ? run.run.slice(run.sweep.length + 1) : run.run);

function draw() {
  const [across, up] = [$("across").value, $("up").value];
  const points = inGroup()
    .filter((run) => Number.isFinite(run.measures[across]) && Number.isFinite(run.measures[up]))
    .map((run) => ({ x: run.measures[across], y: run.measures[up], name: nameOf(run), open: () => open(run) }));
  const better = [across, up].map((key) => (LESS_IS_BETTER.has(key) ? -1 : 1));
  $("scatter").replaceChildren(...(points.length ? [scatter(points, words(across), words(up), better)] : []));
  $("scatter-words").textContent = points.length
    ? `${points.length} runs; the line joins those that no other beats in both (the Pareto front).`
    : "No run here has both measures.";
  table();
}

function table() {
  const columns = [
    ["run", "run", nameOf], ["method", "method", (run) => run.method], ["references", "references", (run) => run.references],
    ["samples", "samples", (run) => run.samples],
    ...shown.map((key) => [key, words(key), (run) => run.measures[key]]),
  ];
  const of = Object.fromEntries(columns.map(([key, , value]) => [key, value]));
  const value = of[sorted.key] || ((run) => run.time);
  const rows = [...inGroup()].sort((a, b) => {
    const [first, second] = [value(a), value(b)];
    if (first === second) return 0;
    if (first === null || first === undefined) return 1;
    if (second === null || second === undefined) return -1;
    return (first < second ? -1 : 1) * (sorted.down ? -1 : 1);
  });
  const head = element("tr");
  for (const [key, title] of columns) {
    const cell = element("th", { scope: "col" });
    const chosen = sorted.key === key;
    if (chosen) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    cell.append(button(title + (chosen ? (sorted.down ? " ↓" : " ↑") : ""), () => {
      sorted = { key, down: sorted.key === key ? !sorted.down : true };
      table();
    }));
    head.append(cell);
  }
  const body = element("tbody");
  for (const run of rows) {
    const row = element("tr");
    columns.forEach(([, , valueOf], index) => {
      const cell = element("td"), content = valueOf(run);
      if (index === 0) cell.append(button(content, () => {})); // for the keyboard; the click is the row's
      else cell.textContent = typeof content === "number" && !Number.isInteger(content) ? content.toPrecision(4) : content ?? "–";
      row.append(cell);
    });
    row.addEventListener("click", () => open(run));
    body.append(row);
  }
  const whole = element("table"), top = element("thead");
  top.append(head);
  whole.append(top, body);
  $("table").replaceChildren(whole);
}

async function open(run) {
  $("error").textContent = "";
  try {
    const { references, curves } = await ask(`/api/outputs/run?name=${encodeURIComponent(run.run)}`);
    $("one").hidden = false;
    $("one-title").textContent = run.run;
    $("one-words").textContent = run.overrides.join(" ");
    $("curves").replaceChildren(...curvesOf(curves));
    const more = references.length - MOST_SHOWN;
    $("references").replaceChildren(...references.slice(0, MOST_SHOWN).flatMap((reference) => pictures(run, reference)));
    if (more > 0) $("references").append(element("p", {}, `And ${more} more references, in the folder of the run.`));
    $("one").scrollIntoView();
  } catch (error) {
    $("error").textContent = error.message;
  }
}

function curvesOf(rows) {
  const groups = new Map();
  for (const row of rows) {
    if (!Number.isFinite(row.step) || !(row.fidelity > 0)) continue;
    const name = row.references;
    groups.set(name, [...(groups.get(name) || []), [row.step, Math.log10(row.fidelity)]]);
  }
  return groups.size ? [element("h3", {}, "Fidelity at each step"), lines([...groups.values()], "step", "log10 of the LR error")] : [];
}

function pictures(run, reference) {
  const address = (name) => "/api/outputs/picture?" + new URLSearchParams({ run: run.run, reference: reference.name, name });
  const grid = element("div", { className: "samples" });
  const tiles = [["lr.png", "reference"], ...reference.samples.filter((sample) => sample.picture)
    .map((sample) => [sample.picture, `sample ${sample.sample}, LR-PSNR ${sample.lr_psnr?.toFixed(1)} dB`]), ["hr.png", "original"]];
  for (const [name, caption] of tiles.filter(([name]) => reference.pictures.includes(name))) {
    const figure = element("figure"), stack = element("div", { className: "stack" });
    stack.append(element("img", { src: address(name), alt: `${caption} of ${reference.name}`, loading: "lazy", className: name === "lr.png" ? "pixels" : "" }));
    figure.append(stack, element("figcaption", {}, caption));
    grid.append(figure);
  }
  return [element("h3", {}, reference.name), grid];
}

function choices(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
  select.addEventListener("change", draw);
}

try {
  runs = await ask("/api/outputs");
  const sweeps = [...new Set(runs.map((run) => run.sweep).filter(Boolean))];
  choices($("group"), [["all", "all runs"], ...sweeps.map((sweep) => [sweep, `sweep ${sweep}`])], sweeps[0] || "all");
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.measures)))];
  choices($("across"), keys.map((key) => [key, words(key)]), "diversity.rms");
  choices($("up"), keys.map((key) => [key, words(key)]), keys.includes("psnr") && runs.some((run) => Number.isFinite(run.measures.psnr)) ? "psnr" : "lr_psnr");
  $("tools").hidden = $("table").hidden = !runs.length;
  if (runs.length) draw();
  else $("scatter-words").textContent = "No run of the command line has been done here yet. What you search in the studio stays on its own page.";
} catch (error) {
  $("error").textContent = error.message;
}

// Plots as SVG: points with a Pareto front, and curves.

const SVG = "http://www.w3.org/2000/svg", WIDTH = 640, HEIGHT = 360, MARGIN = { left: 60, right: 15, top: 15, bottom: 45 };

function node(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

// A scale from numbers to pixels, with round ticks.
function scale(values, from, to) {
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) [low, high] = [low - 1, high + 1];
  const room = (high - low) * 0.06;
  [low, high] = [low - room, high + room];
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(Number(tick.toPrecision(10)));
  return { at: (value) => from + (value - low) / (high - low) * (to - from), ticks };
}

function axes(x, y, xTitle, yTitle, words) {
  const plot = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
  const bottom = HEIGHT - MARGIN.bottom;
  plot.append(node("path", { class: "axis", fill: "none", d: `M${MARGIN.left} ${MARGIN.top}V${bottom}H${WIDTH - MARGIN.right}` }));
  for (const tick of x.ticks) plot.append(node("text", { x: x.at(tick), y: bottom + 18, "text-anchor": "middle" }, String(tick)));
  for (const tick of y.ticks) plot.append(node("text", { x: MARGIN.left - 8, y: y.at(tick) + 4, "text-anchor": "end" }, String(tick)));
  plot.append(node("text", { x: (MARGIN.left + WIDTH) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, xTitle));
  plot.append(node("text", { x: 14, y: HEIGHT / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${HEIGHT / 2})` }, yTitle));
  return plot;
}

function scales(xs, ys) {
  return [scale(xs, MARGIN.left, WIDTH - MARGIN.right), scale(ys, HEIGHT - MARGIN.bottom, MARGIN.top)];
}

// The points that no other point beats in both measures. better: 1 where more is better, -1 where less is.
export function paretoFront(points, better = [1, 1]) {
  const value = (point, axis) => better[axis] * (axis ? point.y : point.x);
  return points
    .filter((one) => !points.some((other) => [0, 1].every((axis) => value(other, axis) >= value(one, axis)) &&
      [0, 1].some((axis) => value(other, axis) > value(one, axis))))
    .sort((a, b) => a.x - b.x);
}

// points: {x, y, name, open} each.
export function scatter(points, xTitle, yTitle, better) {
  const [x, y] = scales(points.map((point) => point.x), points.map((point) => point.y));
  const front = paretoFront(points, better);
  const plot = axes(x, y, xTitle, yTitle, `${yTitle} against ${xTitle} of ${points.length} runs; ${front.length} are on the Pareto front`);
  plot.removeAttribute("role");
  plot.append(node("path", { class: "front", d: front.map((p, i) => `${i ? "L" : "M"}${x.at(p.x)} ${y.at(p.y)}`).join("") }));
  for (const point of points) {
    const circle = node("circle", {
      class: front.includes(point) ? "point best" : "point", cx: x.at(point.x), cy: y.at(point.y), r: 7,
      tabindex: 0, role: "button", "aria-label": `${point.name}: ${xTitle} ${point.x.toPrecision(4)}, ${yTitle} ${point.y.toPrecision(4)}`,
    });
    circle.append(node("title", {}, `${point.name}\n${xTitle} ${point.x.toPrecision(4)}, ${yTitle} ${point.y.toPrecision(4)}`));
    circle.addEventListener("click", point.open);
    circle.addEventListener("keydown", (event) => { if (["Enter", " "].includes(event.key)) { event.preventDefault(); point.open(); } });
    plot.append(circle);
  }
  return plot;
}

// curves: arrays of [x, y].
export function lines(curves, xTitle, yTitle) {
  const [x, y] = scales(curves.flat().map((point) => point[0]), curves.flat().map((point) => point[1]));
  const plot = axes(x, y, xTitle, yTitle, `${yTitle} against ${xTitle}, ${curves.length} curves`);
  for (const curve of curves) {
    plot.append(node("path", { class: "curve", d: curve.map((point, i) => `${i ? "L" : "M"}${x.at(point[0])} ${y.at(point[1])}`).join("") }));
  }
  return plot;
}

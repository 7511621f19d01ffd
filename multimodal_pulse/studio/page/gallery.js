// The samples of a finished search, beside what they look like at low resolution.
import { button, element } from "./scribble.js";

const decibels = (value) => (value === null ? "no picture" : `${value.toFixed(1)} dB`);

// One sample: the picture with the reference over it, its low-resolution version and its facts.
function tile(sample, address, reference, vary) {
  const figure = element("figure", { className: "sample" });
  figure.dataset.sample = sample.sample;
  const stack = element("div", { className: "stack" });
  const name = `Sample ${sample.sample}`;
  stack.append(element("img", { src: address(sample.picture), alt: name, className: "found" }));
  stack.append(element("img", { src: reference, alt: "", className: "pixels over" }));
  const facts = element("div", { className: "facts" });
  facts.append(element("img", { src: address(sample.lr), alt: `${name} at low resolution`, className: "pixels" }));
  const words = element("div");
  words.append(element("strong", {}, name), element("br"));
  words.append(element("span", { className: sample.faithful ? "good" : "bad" }, `LR-PSNR ${decibels(sample.lr_psnr)}`));
  if (sample.realistic !== null && sample.realistic !== undefined) {
    words.append(element("br"), element("span", { className: sample.realistic ? "good" : "bad" }, sample.realistic ? "looks like its domain" : "looks unlike its domain"));
  }
  facts.append(words);
  const caption = element("figcaption");
  caption.append(facts, button("More like this", () => vary(sample)));
  if (sample.photo) {
    const link = element("a", { href: address(sample.photo), target: "_blank" }, "In the photograph");
    caption.append(" ", link);
  }
  figure.append(stack, caption);
  return figure;
}

function plain(address, name, words) {
  const figure = element("figure");
  const stack = element("div", { className: "stack" });
  stack.append(element("img", { src: address(name), alt: words }));
  figure.append(stack, element("figcaption", {}, words));
  return figure;
}

export function show(reference, address, places, vary) {
  const lr = address("lr.png");
  const samples = reference.samples.filter((sample) => sample.picture);
  places.gallery.replaceChildren(...samples.map((sample) => tile(sample, address, lr, vary)));
  const others = [["lr.png", "The reference"], ["parent.png", "The sample that these are like"], ["may_change.png", "White: where they may differ from it"], ["mean.png", "Their mean"], ["hr.png", "The original, which the search has not seen"]];
  places.summary.replaceChildren(
    ...others.filter(([name]) => reference.pictures.includes(name)).map(([name, words]) => plain(address, name, words)),
  );
  places.summary.firstElementChild?.querySelector("img").classList.add("pixels");
  if (samples.length > 1) spread([...places.gallery.querySelectorAll(".found")], places.summary);
  places.remarks.replaceChildren(...reference.remarks.map((remark) => element("li", {}, remark)));
}

// Sorts the tiles: as they were found, or by their distance from the mean of all, the farthest first.
export async function order(gallery, how) {
  const tiles = [...gallery.children];
  if (how === "found") {
    tiles.sort((a, b) => a.dataset.sample - b.dataset.sample);
  } else {
    const pixels = await Promise.all(tiles.map((one) => pixelsOf(one.querySelector(".found"))));
    const mean = pixels[0].map((_, i) => pixels.reduce((sum, one) => sum + one[i], 0) / pixels.length);
    const far = tiles.map((one, i) => [distance(pixels[i], mean), one]);
    tiles.splice(0, tiles.length, ...far.sort((a, b) => b[0] - a[0]).map(([, one]) => one));
  }
  gallery.replaceChildren(...tiles);
}

async function pixelsOf(image, side = 64) {
  await image.decode();
  const canvas = element("canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, side, side);
  return Array.from(context.getImageData(0, 0, side, side).data);
}

const MOST = 64; // grey levels that are white
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

// Draws where the samples differ: the standard deviation of each pixel, dark to light.
async function spread(images, summary) {
  const side = images[0].naturalWidth || 128;
  const pixels = await Promise.all(images.map((image) => pixelsOf(image, side)));
  const canvas = element("canvas", { width: side, height: side });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Where the samples differ");
  const context = canvas.getContext("2d"), drawn = context.createImageData(side, side);
  for (let i = 0; i < drawn.data.length; i += 4) {
    let variance = 0;
    for (let c = i; c < i + 3; c += 1) {
      const mean = pixels.reduce((sum, one) => sum + one[c], 0) / pixels.length;
      variance += pixels.reduce((sum, one) => sum + (one[c] - mean) ** 2, 0) / pixels.length / 3;
    }
    const place = Math.min(Math.sqrt(variance) / MOST, 1) * (HEAT.length - 1), low = Math.min(Math.floor(place), HEAT.length - 2);
    HEAT[low].forEach((value, c) => (drawn.data[i + c] = value + (HEAT[low + 1][c] - value) * (place - low)));
    drawn.data[i + 3] = 255;
  }
  context.putImageData(drawn, 0, 0);
  const figure = element("figure"), stack = element("div", { className: "stack" });
  stack.append(canvas);
  figure.append(stack, element("figcaption", {}, `Where they differ: black not at all, white by ${MOST} grey levels`));
  summary.append(figure);
}

function distance(a, b) {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length);
}

// A picture to scribble on: brush, eraser, undo, clear; by pointer or by keyboard. What is drawn is white on black.

export class Scribble {
  // place: the element that gets it; side: the pixels of the mask; label: what it is for, to be read aloud.
  constructor(place, side, label, changed = () => {}) {
    this.side = side;
    this.changed = changed;
    this.before = [];
    this.erasing = false;
    place.replaceChildren();
    const board = element("div", { className: "scribbling" });
    this.image = element("img", { alt: "", className: "pixels" });
    this.canvas = element("canvas", { width: side, height: side, tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${label}: arrow keys move the brush, the space bar draws`);
    board.append(this.image, this.canvas);
    this.brush = element("input", { type: "range", min: 2, max: Math.round(side / 3), value: Math.round(side / 10) });
    this.brush.setAttribute("aria-label", "Brush size in pixels");
    const brushLabel = element("label", {}, "Brush ");
    brushLabel.append(this.brush);
    this.eraser = button("Erase", () => this.erase(!this.erasing));
    this.eraser.setAttribute("aria-pressed", "false");
    const tools = element("div", { className: "buttons" });
    tools.append(brushLabel, this.eraser, button("Undo", () => this.undo()), button("Clear", () => this.clear()));
    place.append(board, tools);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.cursor = [side / 2, side / 2];
    this.listen();
  }

  show(address, pixelated) {
    this.image.src = address;
    this.image.classList.toggle("pixels", pixelated);
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.remember();
      this.last = this.at(event);
      this.draw(this.last, this.last);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.last) return;
      const now = this.at(event);
      this.draw(this.last, now);
      this.last = now;
    });
    const end = () => { if (this.last) { this.last = null; this.changed(); } };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const step = this.side / 24;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in moves) {
      this.cursor = this.cursor.map((x, axis) => Math.min(this.side, Math.max(0, x + moves[event.key][axis])));
    } else if (event.key === " ") {
      this.remember();
      this.draw(this.cursor, this.cursor);
      this.changed();
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      this.undo();
    } else {
      return;
    }
    event.preventDefault();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * this.side, (event.clientY - box.top) / box.height * this.side];
  }

  draw(from, to) {
    const c = this.context;
    c.globalCompositeOperation = this.erasing ? "destination-out" : "source-over";
    c.strokeStyle = "#ff8c1a";
    c.lineWidth = Number(this.brush.value);
    c.lineCap = "round";
    c.beginPath();
    c.moveTo(...from);
    c.lineTo(to[0] + 0.01, to[1]);
    c.stroke();
  }

  remember() {
    this.before.push(this.context.getImageData(0, 0, this.side, this.side));
    if (this.before.length > 50) this.before.shift();
  }

  erase(on) {
    this.erasing = on;
    this.eraser.setAttribute("aria-pressed", String(on));
  }

  undo() {
    if (this.before.length) this.context.putImageData(this.before.pop(), 0, 0);
    this.changed();
  }

  clear() {
    this.remember();
    this.context.clearRect(0, 0, this.side, this.side);
    this.changed();
  }

  get empty() {
    return !this.context.getImageData(0, 0, this.side, this.side).data.some((value) => value);
  }

  // The mask as a PNG in base64: white where it was drawn.
  get mask() {
    const copy = element("canvas", { width: this.side, height: this.side });
    const c = copy.getContext("2d");
    const drawn = this.context.getImageData(0, 0, this.side, this.side);
    for (let i = 0; i < drawn.data.length; i += 4) {
      drawn.data[i] = drawn.data[i + 1] = drawn.data[i + 2] = drawn.data[i + 3];
      drawn.data[i + 3] = 255;
    }
    c.putImageData(drawn, 0, 0);
    return copy.toDataURL("image/png");
  }
}

export function element(name, properties = {}, text = null) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== null) made.textContent = text;
  return made;
}

export function button(text, action) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", action);
  return made;
}

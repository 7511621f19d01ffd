// The frames of faces on a photograph: dragged or moved by arrow keys, resized by the handle or by + and -.
import { element } from "./scribble.js";

export class Frames {
  // place: the element around the preview; moved: called with the frames, [x, y, side, roll] each, in its own pixels.
  constructor(place, preview, moved) {
    Object.assign(this, { place, preview, moved, frames: [], boxes: [] });
    new ResizeObserver(() => this.layOut()).observe(preview);
  }

  show(frames, size) {
    this.size = size;
    this.frames = frames.map((frame) => [...frame]);
    this.boxes.forEach((box) => box.remove());
    this.boxes = this.frames.map((frame, index) => this.box(index));
    this.layOut();
  }

  add() {
    const side = Math.min(...this.size) * 0.6;
    const frames = [...this.frames, [this.size[0] / 2, this.size[1] / 2, side, 0]];
    this.show(frames, this.size);
    this.moved(this.frames);
  }

  get scale() {
    return this.preview.clientWidth / (this.size ? this.size[0] : 1);
  }

  layOut() {
    this.boxes.forEach((box, index) => {
      const [x, y, side, roll] = this.frames[index].map((value, i) => (i < 3 ? value * this.scale : value));
      Object.assign(box.style, {
        left: `${x - side / 2}px`, top: `${y - side / 2}px`, width: `${side}px`, height: `${side}px`,
        transform: `rotate(${roll}deg)`,
      });
    });
  }

  box(index) {
    const box = element("div", { className: "frame", tabIndex: 0 });
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", `Frame of face ${index + 1}: arrow keys move it, plus and minus resize it, Delete removes it`);
    const handle = element("div", { className: "handle" });
    box.append(handle);
    let from = null;
    box.addEventListener("pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      from = { x: event.clientX, y: event.clientY, frame: [...this.frames[index]], resizing: event.target === handle };
      event.preventDefault();
      box.focus();
    });
    box.addEventListener("pointermove", (event) => {
      if (!from) return;
      const dx = (event.clientX - from.x) / this.scale, dy = (event.clientY - from.y) / this.scale;
      const [x, y, side, roll] = from.frame;
      this.set(index, from.resizing ? [x, y, side + dx + dy, roll] : [x + dx, y + dy, side, roll]);
    });
    const end = () => { if (from) { from = null; this.moved(this.frames); } };
    box.addEventListener("pointerup", end);
    box.addEventListener("pointercancel", end);
    box.addEventListener("keydown", (event) => {
      const [x, y, side, roll] = this.frames[index], step = side / 40;
      const changed = {
        ArrowLeft: [x - step, y, side, roll], ArrowRight: [x + step, y, side, roll],
        ArrowUp: [x, y - step, side, roll], ArrowDown: [x, y + step, side, roll],
        "+": [x, y, side * 1.05, roll], "-": [x, y, side / 1.05, roll],
      }[event.key];
      if (changed) this.set(index, changed);
      else if (event.key === "Delete" && this.frames.length > 1) this.show(this.frames.filter((_, i) => i !== index), this.size);
      else return;
      event.preventDefault();
      clearTimeout(this.later);
      this.later = setTimeout(() => this.moved(this.frames), 500);
    });
    this.place.append(box);
    return box;
  }

  set(index, [x, y, side, roll]) {
    const [width, height] = this.size;
    side = Math.min(Math.max(side, 16), 2 * Math.max(width, height));
    this.frames[index] = [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height), side, roll];
    this.layOut();
  }
}

// What the page asks the studio for. A refusal becomes an Error whose message is a sentence.

export async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The studio does not answer: is it still running in its terminal?");
  }
  const text = await answer.text();
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    content = { error: text };
  }
  if (!answer.ok) throw new Error(content.error || `The studio answered with ${answer.status}.`);
  return content;
}

export function post(address, content = {}) {
  return ask(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) });
}

export function upload(file) {
  return ask(`/api/pictures?name=${encodeURIComponent(file.name || "pasted picture")}`, { method: "POST", body: file });
}

// Calls `changed` with the state of a run whenever it changes, until it has ended.
// If the studio is gone for good, `lost` is called; while it can, the browser connects again by itself.
export function watch(run, changed, lost) {
  const events = new EventSource(`/api/runs/${run}/events`);
  events.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    if (["done", "failed", "cancelled"].includes(state.state)) events.close();
    changed(state);
  });
  let failures = 0;
  events.addEventListener("open", () => (failures = 0));
  events.addEventListener("error", () => {
    failures += 1;
    if (events.readyState === EventSource.CLOSED || failures > 3) {
      events.close();
      lost();
    }
  });
  return events;
}

// Talks to the gateway: JSON requests with the caller's key, and a video's events as they happen.

const KEY = "cascade-api-key";
const RECONNECT_MS = 1500;

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = problem?.error?.code;
    this.field = problem?.error?.param;
  }
}

export class Unreachable extends Error {}

export const apiKey = {
  get: () => localStorage.getItem(KEY) ?? "",
  set: (value) => (value ? localStorage.setItem(KEY, value) : localStorage.removeItem(KEY)),
};

export async function request(method, path, body) {
  const answer = await send(method, path, { "Content-Type": "application/json" }, body);
  return answer.status === 204 ? null : answer.json();
}

// Below the page, so that a proxy may offer the gateway under a path prefix.
const address = (path) => new URL(`.${path}`, document.baseURI);

async function send(method, path, headers, body, signal) {
  if (apiKey.get()) headers.Authorization = `Bearer ${apiKey.get()}`;
  let answer;
  try {
    answer = await fetch(address(path), { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The gateway cannot be reached.");
  }
  if (answer.ok) return answer;
  throw new ApiError(answer.status, await answer.json().catch(() => null));
}

// Calls onEvent(type, data) for every event of a video, until it has ended; reconnects behind the last event.
export async function follow(id, onEvent, signal) {
  let lastId = "0-0";
  while (!signal.aborted) {
    try {
      const answer = await send("GET", `/v1/videos/${id}/events`, { "Last-Event-ID": lastId }, undefined, signal);
      if (answer.status === 204) return; // it has ended, and all of its events are here
      for await (const event of parse(answer.body)) {
        lastId = event.id;
        onEvent(event.type, JSON.parse(event.data));
        if (["video.completed", "video.failed", "video.cancelled"].includes(event.type)) return;
      }
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status < 500)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

async function* parse(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r", "");
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split("\n").filter((line) => line && !line.startsWith(":")).map((line) => {
          const colon = line.indexOf(":");
          return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
        }),
      );
      if (fields.data) yield { id: fields.id, type: fields.event, data: fields.data };
    }
  }
}

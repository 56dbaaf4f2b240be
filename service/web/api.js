// Talks to the gateway: JSON requests with the caller's key, and a video's events as they happen.

const KEY = "cascade-api-key";
const RECONNECT_MS = 1500;
const LAST_EVENTS = ["video.completed", "video.failed", "video.cancelled"];

export class ApiError extends Error {
  constructor(status, problem, retryAfterS) {
    super(problem?.detail ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = problem?.error?.code;
    this.errors = problem?.errors ?? []; // {field, detail} of everything that is wrong
    this.retryAfterS = retryAfterS;
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

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

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
  throw new ApiError(answer.status, await answer.json().catch(() => null), Number(answer.headers.get("Retry-After")) || null);
}

// How long to wait until a request that failed so is sent again.
export function retryMs(error, usualMs) {
  return error instanceof ApiError && error.retryAfterS ? Math.max(usualMs, error.retryAfterS * 1000) : usualMs;
}

// Calls onEvent(type, data) for every event of a video, until it has ended; reconnects behind the last event.
export async function follow(id, onEvent, signal) {
  let lastId = "0-0";
  while (!signal.aborted) {
    let waitMs = RECONNECT_MS;
    try {
      const answer = await send("GET", `/v1/videos/${id}/events`, { "Last-Event-ID": lastId }, undefined, signal);
      if (answer.status === 204) return; // it has ended, and all of its events are here
      for await (const event of parse(answer.body)) {
        lastId = event.id ?? lastId; // what is not kept has no id
        onEvent(event.type, JSON.parse(event.data));
        if (LAST_EVENTS.includes(event.type)) return;
      }
    } catch (error) {
      const refused = error instanceof ApiError && error.status < 500 && error.status !== 429;
      if (signal.aborted || refused) return;
      waitMs = retryMs(error, RECONNECT_MS);
    }
    await pause(waitMs);
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

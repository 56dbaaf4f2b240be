// The operator's page: stages and workers, videos under way, and those that failed for good.

import { ApiError, Unreachable, request, retryMs } from "./api.js";
import { $, announce, h, showBanner } from "./dom.js";
import { askForKey, installKeyDialog } from "./key.js";
import { duration, shortId, timeOf } from "./words.js";

const REFRESH_MS = 2000;

const since = (unixSeconds) => duration(Date.now() / 1000 - unixSeconds);

function show(state) {
  const prompts = new Map([...state.videos.map(({ id, prompt }) => [id, prompt]), ...state.dead_letters.map(({ video_id, prompt }) => [video_id, prompt])]);
  redraw("queues", ...stagesByPreset(state.queues));
  redraw("videos", table("Table of videos under way", ["Video", "Stages", "Preset", "Project", "Age"], state.videos.map(videoRow), "No videos under way."),
    rest(state.videos.length, state.unfinished, (shown, all) => `${shown} of ${all} videos under way.`));
  redraw("letters", table("Table of failed videos", ["Video", "Stage", "Why", "When", ""], state.dead_letters.toReversed().map(letterRow), "No failed videos."),
    rest(state.dead_letters.length, state.failed, (shown, all) => `The last ${shown} of ${all} failed videos.`));
  redraw("workers", table("Table of workers", ["Worker", "Does now", "Serves"], state.workers.map((worker) => workerRow(worker, prompts)), "No workers. Start one with: cascade worker PRESET.STAGE"));
}

// Draws a section anew; whoever uses the keyboard stays on the button they were on.
function redraw(id, ...children) {
  const focused = $(id).contains(document.activeElement) ? document.activeElement.dataset.key : null;
  $(id).replaceChildren(...children.filter(Boolean));
  if (focused) $(id).querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
}

function stagesByPreset(queues) {
  return [...Map.groupBy(queues, ({ model }) => model)].map(([model, ofModel]) =>
    h("div", { class: "preset" }, h("h3", {}, model), h("ul", { class: "tiles", "aria-label": `Stages of ${model}` }, ...ofModel.map(stageTile))));
}

function stageTile(queue) {
  const counts = { waiting: queue.waiting, running: queue.running, "done in an hour": queue.done_last_hour };
  return h("li", { class: queue.workers ? "tile" : "tile alarm", "data-queue": queue.queue },
    h("h4", {}, queue.title),
    h("dl", { class: "counts" }, ...Object.entries(counts).map(([what, count]) => h("div", {}, h("dt", {}, what), h("dd", {}, String(count))))),
    h("p", { class: "workers" }, queue.workers ? `${queue.busy} of ${queue.workers} workers busy` : "no worker"));
}

function table(label, columns, rows, nothing) {
  if (rows.length === 0) return h("p", { class: "muted" }, nothing);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label, "data-key": "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...columns.map((column) => (column ? h("th", { scope: "col" }, column) : h("td", {}))))),
    h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))))),
  ));
}

const rest = (shown, all, words) => (all > shown ? h("p", { class: "muted" }, words(shown, all)) : null);

const videoRow = (video) => [named(video.id, video.prompt), stageBars(video), video.model, video.project, since(video.created_at)];

const letterRow = (letter) => [
  named(letter.video_id, letter.prompt),
  letter.stage ?? "",
  `${letter.message} (${letter.code})`,
  timeOf(letter.at),
  h("span", { class: "actions" },
    letterButton("Replay", letter, () => act("POST", `/v1/ops/dead_letters/${letter.video_id}/replay`)),
    letterButton("Dismiss", letter, () => act("DELETE", `/v1/ops/dead_letters/${letter.video_id}`), "quiet")),
];

function letterButton(text, letter, onclick, kind = "") {
  return h("button", { type: "button", class: `small ${kind}`, "data-key": `${text} ${letter.video_id}`, onclick }, text,
    h("span", { class: "unseen" }, ` ${letter.prompt ?? shortId(letter.video_id)}`));
}

function workerRow(worker, prompts) {
  const { video_id: id, title, since: began, step, steps } = worker;
  const doing = id
    ? h("span", {}, named(id, prompts.get(id)), h("span", { class: "muted" }, [title, step ? `step ${step} of ${steps}` : null, began ? `for ${since(began)}` : null].filter(Boolean).join(" · ")))
    : worker.state;
  return [worker.name, doing, worker.queues.join(", ")];
}

// What people know a video by: its prompt, where they may see it, and the beginning of its id.
function named(id, prompt) {
  const copy = h("button", { type: "button", class: "quiet", "data-key": `copy ${id}`, "aria-label": `Copy the id ${id}`, onclick: () => copyId(id) }, "copy");
  return h("span", { "data-video": id },
    prompt ? h("a", { class: "prompt", href: `./#${id}`, "data-key": `link ${id}` }, prompt) : null,
    h("span", { class: "id" }, h("code", { title: id }, shortId(id)), copy));
}

async function copyId(id) {
  await navigator.clipboard.writeText(id);
  announce("Copied.");
}

function stageBars({ stages }) {
  const current = stages.find(({ status }) => status === "in_progress" || status === "queued");
  return h("div", { class: "stages" },
    h("div", { class: "bars" }, ...stages.map((stage) =>
      h("progress", { max: 100, class: stage.status === "completed" ? "done" : "", "aria-label": stage.title, title: `${stage.title}: ${stageTime(stage)}`,
        value: stage.status === "completed" ? 100 : (100 * stage.step) / stage.steps }))),
    h("span", { class: "muted" }, current ? `${current.title}: ${stageTime(current)}` : ""));
}

function stageTime(stage) {
  if (stage.status === "completed") return stage.started_at ? `done in ${duration(stage.finished_at - stage.started_at)}` : "done";
  if (stage.status !== "in_progress") return stage.status === "queued" ? "in the queue" : "to come";
  const tries = stage.attempts > 1 ? `, try ${stage.attempts}` : "";
  return `step ${stage.step} of ${stage.steps}, ${since(stage.started_at)}${tries}`;
}

async function act(method, path) {
  try {
    await request(method, path);
    show(await request("GET", "/v1/ops"));
  } catch (error) {
    showBanner(error.message);
  }
}

let asked = false;

async function refresh() {
  let waitMs = REFRESH_MS;
  try {
    show(await request("GET", "/v1/ops"));
    showBanner("");
  } catch (error) {
    waitMs = retryMs(error, REFRESH_MS);
    if (error instanceof Unreachable) showBanner("The gateway cannot be reached. This page goes on by itself as soon as it can.");
    else if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      showBanner("This page needs an API key with the scope admin.");
      if (!asked) askForKey();
      asked = true;
    } else showBanner(error.message);
  }
  setTimeout(refresh, waitMs);
}

installKeyDialog(() => location.reload());
refresh();

// The operator's page: queues and workers, videos under way, and dead letters.

import { ApiError, Unreachable, request } from "./api.js";
import { $, h, showBanner } from "./dom.js";
import { askForKey, installKeyDialog } from "./key.js";

const REFRESH_MS = 2000;

function table(columns, rows, nothing) {
  if (rows.length === 0) return h("p", { class: "muted" }, nothing);
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, column)))),
    h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))))),
  ));
}

function show(state) {
  const several = new Set(state.queues.map(({ model }) => model)).size > 1;
  $("queues").replaceChildren(...state.queues.map((queue) =>
    h("div", { class: queue.workers ? "tile" : "tile alarm", "data-queue": queue.queue },
      h("h3", {}, several ? `${queue.model}: ${queue.title}` : queue.title),
      h("p", {}, h("strong", {}, String(queue.waiting)), " waiting"),
      h("p", { class: "muted" }, queue.workers ? `${queue.busy} of ${queue.workers} workers busy` : "no worker"),
    )));
  const titles = new Map(state.videos.flatMap(({ stages }) => stages.map(({ name, title }) => [name, title])));
  $("videos").replaceChildren(table(
    ["Video", "Preset", "Project", "Age", ...titles.values()],
    state.videos.map((video) => [
      h("code", {}, video.id),
      video.model,
      video.project,
      duration(Date.now() / 1000 - video.created_at),
      ...[...titles.keys()].map((name) => stageTime(video.stages.find((stage) => stage.name === name))),
    ]),
    "No videos under way.",
  ));
  if (state.unfinished > state.videos.length) {
    $("videos").append(h("p", { class: "muted" }, `${state.videos.length} of ${state.unfinished} videos under way.`));
  }
  $("letters").replaceChildren(table(
    ["Video", "Stage", "Why", "When", ""],
    state.dead_letters.map((letter) => [
      h("code", {}, letter.video_id),
      letter.stage ?? "",
      `${letter.message} (${letter.code})`,
      new Date(letter.at * 1000).toLocaleString(),
      h("span", { class: "actions" },
        h("button", { type: "button", onclick: () => act("POST", `/v1/ops/dead_letters/${letter.video_id}/replay`) }, "Replay"),
        h("button", { type: "button", class: "quiet", onclick: () => act("DELETE", `/v1/ops/dead_letters/${letter.video_id}`) }, "Dismiss"),
      ),
    ]),
    "No failed videos.",
  ));
  if (state.failed > state.dead_letters.length) {
    $("letters").append(h("p", { class: "muted" }, `The last ${state.dead_letters.length} of ${state.failed} failed videos.`));
  }
  $("workers").replaceChildren(table(
    ["Worker", "Queues", "State", "Video"],
    state.workers.map((worker) => [worker.name, worker.queues.join(", "), worker.state, worker.video_id ?? ""]),
    "No workers. Start one with: cascade worker PRESET.STAGE",
  ));
}

function stageTime(stage) {
  if (!stage) return "";
  if (stage.status === "completed") return `done in ${duration(stage.finished_at - stage.started_at)}`;
  if (stage.status === "in_progress") {
    return `step ${stage.step} of ${stage.steps}, ${duration(Date.now() / 1000 - stage.started_at)}${stage.attempts > 1 ? `, try ${stage.attempts}` : ""}`;
  }
  return stage.status === "queued" ? "in the queue" : "";
}

function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, seconds).toFixed(1)} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
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
  try {
    show(await request("GET", "/v1/ops"));
    showBanner("");
  } catch (error) {
    if (error instanceof Unreachable) showBanner("The gateway cannot be reached. This page goes on by itself as soon as it can.");
    else if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      showBanner("This page needs an API key with the scope admin.");
      if (!asked) askForKey();
      asked = true;
    } else showBanner(error.message);
  }
  setTimeout(refresh, REFRESH_MS);
}

installKeyDialog(() => location.reload());
refresh();

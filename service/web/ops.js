// The operator's page: queues and workers, videos under way, and dead letters.

import { ApiError, Unreachable, request } from "./api.js";
import { $, h, say, stageName } from "./dom.js";
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
  $("queues").replaceChildren(...state.queues.map((queue) =>
    h("div", { class: queue.workers ? "tile" : "tile alarm", "data-stage": queue.kind },
      h("h3", {}, stageName(queue.kind)),
      h("p", {}, h("strong", {}, String(queue.waiting)), " waiting"),
      h("p", { class: "muted" }, queue.workers ? `${queue.busy} of ${queue.workers} workers busy` : "no worker"),
    )));
  const kinds = [...new Set(state.videos.flatMap(({ stages }) => stages.map(({ kind }) => kind)))];
  $("videos").replaceChildren(table(
    ["Video", "Project", "Age", ...kinds.map(stageName)],
    state.videos.map((video) => [
      h("code", {}, video.id),
      video.project,
      duration(Date.now() / 1000 - video.created_at),
      ...kinds.map((kind) => stageTime(video.stages.find((stage) => stage.kind === kind))),
    ]),
    "Nothing is under way.",
  ));
  $("letters").replaceChildren(table(
    ["Video", "Stage", "Why", "When", ""],
    state.dead_letters.map((letter) => [
      h("code", {}, letter.video_id),
      letter.stage ? stageName(letter.stage) : "",
      `${letter.message} (${letter.code})`,
      new Date(letter.at * 1000).toLocaleString(),
      h("span", { class: "actions" },
        h("button", { type: "button", onclick: () => act("POST", `/v1/ops/dead_letters/${letter.video_id}/replay`) }, "Replay"),
        h("button", { type: "button", class: "quiet", onclick: () => act("DELETE", `/v1/ops/dead_letters/${letter.video_id}`) }, "Dismiss"),
      ),
    ]),
    "No video was given up.",
  ));
  $("workers").replaceChildren(table(
    ["Worker", "Stage", "Presets", "State", "Video"],
    state.workers.map((worker) => [worker.name, stageName(worker.kind), worker.presets.join(", "), worker.state, worker.video_id ?? ""]),
    "No worker is there. Start one with: cascade worker STAGE",
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
    say(error.message);
  }
}

let asked = false;

async function refresh() {
  try {
    show(await request("GET", "/v1/ops"));
    say("");
  } catch (error) {
    if (error instanceof Unreachable) say("The gateway cannot be reached. This page goes on by itself as soon as it can.");
    else if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      say("This page needs an API key with the scope admin.");
      if (!asked) askForKey();
      asked = true;
    } else say(error.message);
  }
  setTimeout(refresh, REFRESH_MS);
}

installKeyDialog(() => location.reload());
refresh();

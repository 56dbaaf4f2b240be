// The page: the form, the cards of all videos, and what keeps them up to date.

import { ApiError, Unreachable, follow, request } from "./api.js";
import { Card, isActive } from "./card.js";
import { installComposer, loadModels } from "./composer.js";
import { $, showBanner } from "./dom.js";
import { askForKey, installKeyDialog } from "./key.js";

const PAGE = 12;
const REFRESH_MS = 4000;
const MAX_STREAMS = 3; // a browser opens six connections to one host

const cards = new Map();
const streams = new Map();
let oldest = null;
let filter = "all";

const actions = {
  changed: (video) => show(video),
  created(video) {
    const card = show(video, { first: true, open: true });
    card.element.scrollIntoView({ behavior: "smooth", block: "nearest" });
  },
  removed(id) {
    cards.get(id)?.element.remove();
    cards.delete(id);
    streams.get(id)?.abort();
    filterCards();
  },
};

function show(video, { first = false, open = isActive(video) } = {}) {
  let card = cards.get(video.id);
  if (card) {
    card.update(video);
  } else {
    card = new Card(video, actions, { open });
    cards.set(video.id, card);
    first ? $("gallery").prepend(card.element) : $("gallery").append(card.element);
  }
  followActive();
  filterCards();
  return card;
}

// The newest videos under way are followed by their events; `refresh` looks after the others.
function followActive() {
  const active = [...cards.values()].filter(({ video }) => isActive(video));
  for (const { video } of active) {
    if (streams.size >= MAX_STREAMS) return;
    if (streams.has(video.id)) continue;
    const stop = new AbortController();
    streams.set(video.id, stop);
    const onEvent = (type, data) => cards.get(video.id)?.handleEvent(type, data).catch(complain);
    follow(video.id, onEvent, stop.signal).finally(() => {
      streams.delete(video.id);
      followActive();
    });
  }
}

function filterCards() {
  const words = $("search").value.trim().toLowerCase();
  let shown = 0;
  for (const { element, video } of cards.values()) {
    const fits = filter === "all" || (filter === "active" ? isActive(video) : video.status === filter);
    element.hidden = !(fits && video.prompt.toLowerCase().includes(words));
    shown += !element.hidden;
  }
  $("empty").hidden = shown > 0;
}

async function loadPage() {
  const after = oldest ? `&after=${oldest}` : "";
  const page = await request("GET", `/v1/videos?limit=${PAGE}${after}`);
  for (const video of page.data) show(video, { open: isActive(video) || (!oldest && video === page.data[0]) });
  oldest = page.last_id ?? oldest;
  $("more").hidden = !page.has_more;
}

async function refresh() {
  try {
    const page = await request("GET", `/v1/videos?limit=${PAGE}`);
    for (const video of page.data.toReversed()) show(video, { first: !cards.has(video.id) });
    forgetDeleted(page.data);
    showBanner("");
  } catch (error) {
    complain(error);
  }
  setTimeout(refresh, REFRESH_MS);
}

// A video that is as new as those of the first page, but not among them, was deleted elsewhere.
function forgetDeleted(newest) {
  const ids = new Set(newest.map(({ id }) => id));
  const since = newest.at(-1)?.created_at ?? 0;
  for (const { video } of [...cards.values()]) {
    if (!ids.has(video.id) && (newest.length < PAGE || video.created_at > since)) actions.removed(video.id);
  }
}

function complain(error) {
  if (error instanceof Unreachable) showBanner("The gateway cannot be reached. This page goes on by itself as soon as it can.");
  else if (error instanceof ApiError && error.status === 401) {
    showBanner("This gateway asks for an API key.");
    askForKey();
  } else if (error.name !== "AbortError") showBanner(error.message);
}

async function start() {
  try {
    await loadModels();
    await loadPage();
    showBanner("");
    setTimeout(refresh, REFRESH_MS);
  } catch (error) {
    complain(error);
    if (!(error instanceof ApiError && error.status === 401)) setTimeout(start, REFRESH_MS);
  }
}

installComposer(actions.created);
installKeyDialog(() => location.reload());
$("more").addEventListener("click", () => loadPage().catch(complain));
$("search").addEventListener("input", filterCards);
for (const button of document.querySelectorAll("[data-filter]")) {
  button.addEventListener("click", () => {
    filter = button.dataset.filter;
    for (const other of document.querySelectorAll("[data-filter]")) other.setAttribute("aria-pressed", other === button);
    filterCards();
  });
}
start();

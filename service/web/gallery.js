// The videos on the page: what the gateway lists for the search and filters, kept up to date.

import { follow, request, retryMs } from "./api.js";
import { alertEnd } from "./alerts.js";
import { Card } from "./card.js";
import { $, debounce, setOptions, showBanner } from "./dom.js";
import { noteEnd, showInTab } from "./tab.js";
import { isActive, isUnderWay } from "./words.js";

const PAGE = 12;
const REFRESH_MS = 4000;
const SEARCH_MS = 250;
const MAX_STREAMS = 3; // a browser opens six connections to one host

export class Gallery {
  // complain(error) tells what went wrong; models are those of the gateway.
  constructor(models, complain) {
    this.complain = complain;
    this.cards = new Map();
    this.streams = new Map();
    this.oldest = null;
    this.actions = {
      changed: (video) => this.show(video),
      created: (video) => this.add(video),
      removed: (id) => this.remove(id),
      mayOpen: () => ![...this.cards.values()].some((card) => card.form() === "large" && isActive(card.video)),
      modelOf: (name) => models.find(({ id }) => id === name),
    };
    this.installFilters(models);
  }

  installFilters(models) {
    const again = () => this.reload().catch(this.complain);
    $("search").addEventListener("input", debounce(again, SEARCH_MS));
    for (const button of document.querySelectorAll("[data-status]")) {
      button.addEventListener("click", () => {
        this.press(button);
        again();
      });
    }
    setOptions($("of-model"), [["", "All presets"], ...models.map(({ id }) => [id, id])], "");
    $("of-model").hidden = models.length < 2;
    $("of-model").addEventListener("change", again);
    $("more").addEventListener("click", () => this.loadMore().catch(this.complain));
  }

  press(button) {
    for (const other of document.querySelectorAll("[data-status]")) other.setAttribute("aria-pressed", other === button);
  }

  // The filters as the gateway takes them.
  query() {
    const status = document.querySelector("[data-status][aria-pressed=true]").dataset.status;
    const entries = Object.entries({ q: $("search").value.trim(), status, model: $("of-model").value });
    return new URLSearchParams(entries.filter(([, value]) => value));
  }

  async list(after) {
    const query = this.query();
    const filters = query.toString();
    query.set("limit", PAGE);
    if (after) query.set("after", after);
    const page = await request("GET", `/v1/videos?${query}`);
    return filters === this.query().toString() ? page : null; // null: somebody asked for others meanwhile
  }

  // The first page, in place of what is there.
  async reload({ openFirst = false } = {}) {
    const page = await this.list();
    if (!page) return;
    const ids = new Set(page.data.map(({ id }) => id));
    for (const id of [...this.cards.keys()]) {
      if (!ids.has(id)) this.remove(id);
    }
    const first = openFirst && (page.data.findLast(isUnderWay) ?? page.data.find(({ status }) => !isActive({ status })));
    for (const video of page.data) this.show(video, { open: video === first });
    for (const { id } of page.data) $("gallery").append(this.cards.get(id).element);
    this.oldest = page.last_id;
    $("more").hidden = !page.has_more;
    this.tellEmpty();
  }

  async loadMore() {
    const page = await this.list(this.oldest);
    if (!page) return;
    const [first] = page.data;
    for (const video of page.data) this.show(video);
    this.oldest = page.last_id ?? this.oldest;
    $("more").hidden = !page.has_more;
    if (first) this.cards.get(first.id).element.focus({ preventScroll: true });
  }

  show(video, { first = false, open = false } = {}) {
    let card = this.cards.get(video.id);
    if (card) {
      const ended = isActive(card.video) && !isActive(video);
      card.update(video);
      if (ended) this.noteEnd(video);
    } else {
      card = new Card(video, this.actions, { open });
      this.cards.set(video.id, card);
      first ? $("gallery").prepend(card.element) : $("gallery").append(card.element);
    }
    this.afterChange();
    return card;
  }

  // The next one that is under way is shown large, and of the finished ones only the last.
  noteEnd(video) {
    this.closeOthers(video.id);
    const next = [...this.cards.values()].findLast((card) => isUnderWay(card.video));
    if (this.actions.mayOpen()) next?.toggle(true);
    if (video.status === "cancelled") return;
    noteEnd(video);
    alertEnd(video);
  }

  closeOthers(...ids) {
    for (const card of this.cards.values()) {
      if (card.open && !card.pinned && !isActive(card.video) && !ids.includes(card.video.id)) card.toggle(false);
    }
  }

  // A new video is to be seen whatever was searched for.
  add(video) {
    this.closeOthers(video.remixed_from_video_id);
    const card = this.show(video, { first: true, open: isUnderWay(video) && this.actions.mayOpen() });
    card.element.scrollIntoView({ behavior: "smooth", block: "nearest" });
    if (this.query().size === 0) return;
    $("search").value = "";
    $("of-model").value = "";
    this.press(document.querySelector("[data-status='']"));
    this.reload().catch(this.complain);
  }

  remove(id) {
    const card = this.cards.get(id);
    if (!card) return;
    if (card.element.contains(document.activeElement)) (card.element.nextElementSibling ?? $("videos")).focus();
    card.element.remove();
    this.cards.delete(id);
    this.streams.get(id)?.abort();
    this.afterChange();
  }

  afterChange() {
    this.followActive();
    this.tellEmpty();
    showInTab([...this.cards.values()].map(({ video }) => video));
  }

  tellEmpty() {
    $("empty").hidden = this.cards.size > 0;
    $("empty").textContent = this.query().size ? "No video fits this search." : "Your videos will appear here. Take an example above, or write what you would like to see.";
  }

  // The newest videos under way are followed by their events; `refresh` looks after the others.
  followActive() {
    for (const { video } of this.cards.values()) {
      if (this.streams.size >= MAX_STREAMS) return;
      if (!isActive(video) || this.streams.has(video.id)) continue;
      const stop = new AbortController();
      this.streams.set(video.id, stop);
      const onEvent = (type, data) => this.cards.get(video.id)?.handleEvent(type, data).then(() => this.afterChange(), this.complain);
      follow(video.id, onEvent, stop.signal).finally(() => {
        this.streams.delete(video.id);
        this.followActive();
      });
    }
  }

  // Asks for the newest videos now and then, for good.
  async keepFresh() {
    let waitMs = REFRESH_MS;
    try {
      const known = [...this.cards.keys()];
      const page = await this.list();
      if (page) this.merge(page, known);
      showBanner("");
    } catch (error) {
      this.complain(error);
      waitMs = retryMs(error, REFRESH_MS);
    }
    setTimeout(() => this.keepFresh(), waitMs);
  }

  // What was known, is as new as the newest, and is not among them, was deleted elsewhere or fits the filters no more.
  merge({ data }, known) {
    for (const video of data.toReversed()) this.show(video, { first: !this.cards.has(video.id) });
    const ids = new Set(data.map(({ id }) => id));
    const since = data.at(-1)?.created_at ?? 0;
    for (const id of known) {
      const card = this.cards.get(id);
      if (card && !ids.has(id) && (data.length < PAGE || card.video.created_at > since)) this.remove(id);
    }
  }

  // Opens one video, wherever it is in the list.
  async open(id) {
    const video = await request("GET", `/v1/videos/${id}`);
    const card = this.show(video, { first: !this.cards.has(id), open: true });
    card.pin(true);
    card.element.scrollIntoView({ block: "start" });
    card.element.focus({ preventScroll: true });
  }
}

// Small helpers to build elements and to say things.

export const $ = (id) => document.getElementById(id);

// h("p", {class: "muted", onclick: f}, "text", child): text is never read as HTML.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export function say(message) {
  $("banner").textContent = message;
  $("banner").hidden = !message;
}

export function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}

export const STAGE_NAMES = {
  keyframes: "Keyframes",
  interpolation: "Interpolation",
  "super-resolution": "Super-resolution",
  "expert-translation": "Expert translation",
};
export const stageName = (kind) => STAGE_NAMES[kind] ?? kind;

// Small helpers to build elements and to tell people things.

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

export function showBanner(message) {
  $("banner").textContent = message;
  $("banner").hidden = !message;
}

// Says to people who hear the page what others see happen.
export function announce(message) {
  $("announcements").textContent = message;
}

// pairs: [value, text] of each option.
export function setOptions(select, pairs, selected) {
  select.replaceChildren(...pairs.map(([value, text]) => h("option", { value, selected: value === selected }, text)));
}

export const optionsOfStages = (stages) => stages.map(({ name, title }) => [name, title]);

export const prefersStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Returns `act`, put off until nobody has called for `ms`.
export function debounce(act, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
}

// The form that asks for a new video. Its entries survive a reload.

import { request } from "./api.js";
import { $, h, optionsOfStages, setOptions } from "./dom.js";

const STORAGE_KEY = "cascade-composer";
let models = [];

export function installComposer(onCreated) {
  const form = $("composer");
  form.elements.model.addEventListener("change", () => showModel());
  form.addEventListener("input", () => sessionStorage.setItem(STORAGE_KEY, JSON.stringify(Object.fromEntries(new FormData(form)))));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain("");
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      onCreated(await request("POST", "/v1/videos", requestOf(form)));
    } catch (error) {
      complain(error.message, error.field);
    } finally {
      button.disabled = false;
    }
  });
}

export async function loadModels() {
  models = (await request("GET", "/v1/models")).data;
  const form = $("composer");
  const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "{}");
  const model = models.some(({ id }) => id === stored.model) ? stored.model : models[0].id;
  setOptions(form.elements.model, models.map(({ id }) => [id, id]), model);
  showModel();
  for (const [name, value] of Object.entries(stored)) {
    if (form.elements[name]) form.elements[name].value = value;
  }
}

function showModel() {
  const form = $("composer");
  const model = models.find(({ id }) => id === form.elements.model.value);
  form.elements.model.title = model.description;
  setOptions(form.elements.size, model.sizes.map((size) => [size, size.replace("x", " × ")]), model.sizes[0]);
  setOptions(form.elements.stop_after, [["", "the last stage"], ...optionsOfStages(model.stages.slice(0, -1))], "");
  // A select that names a list of the model offers its entries, and hides where there are none.
  for (const select of form.querySelectorAll("select[data-list]")) {
    const entries = model[select.dataset.list];
    setOptions(select, [["", select.dataset.none], ...entries.map((name) => [name, name])], "");
    select.closest("label").hidden = entries.length === 0;
  }
  $("prompt").maxLength = model.max_prompt_chars;
  $("examples").replaceChildren(
    ...model.example_prompts.map((prompt) =>
      h("button", { type: "button", class: "chip", onclick: () => useExample(prompt) }, prompt),
    ),
  );
  $("stage-parameters").tBodies[0].replaceChildren(
    ...model.stages.map((stage) =>
      h("tr", {},
        h("th", { scope: "row" }, stage.title),
        h("td", {}, number("steps", stage, 1, stage.max_steps, 1)),
        h("td", {}, number("guidance_scale", stage, 1, 30, "any")),
      ),
    ),
  );
}

function number(parameter, stage, min, max, step) {
  const label = `${parameter.replace("_", " ")} of ${stage.title}`;
  const name = `${parameter}.${stage.name}`;
  return h("input", { type: "number", name, min, max, step, placeholder: stage[parameter], "aria-label": label });
}

function useExample(prompt) {
  $("prompt").value = prompt;
  $("prompt").dispatchEvent(new Event("input", { bubbles: true }));
  $("prompt").focus();
}

function requestOf(form) {
  const body = { prompt: $("prompt").value, steps: {}, guidance_scale: {} };
  for (const [name, value] of new FormData(form)) {
    const [parameter, stage] = name.split(".");
    if (value === "" || name === "prompt") continue;
    if (stage) body[parameter][stage] = Number(value);
    else body[name] = ["seed", "best_of"].includes(name) ? Number(value) : value;
  }
  return body;
}

function complain(message, field) {
  $("composer-error").textContent = message;
  $("composer-error").hidden = !message;
  const form = $("composer");
  for (const element of form.elements) element.removeAttribute("aria-invalid");
  const wrong = field && form.elements[field];
  if (!wrong) return;
  wrong.closest("details")?.setAttribute("open", "");
  wrong.setAttribute("aria-invalid", "true");
  wrong.focus();
}

// The form that asks for a new video. What was typed survives a reload.

import { request } from "./api.js";
import { $, h, options, stageName } from "./dom.js";

const KEPT = "cascade-composer";
let models = [];

export function installComposer(onCreated) {
  const form = $("composer");
  form.elements.model.addEventListener("change", () => showModel());
  form.addEventListener("input", () => sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(new FormData(form)))));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain("");
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      onCreated(await request("POST", "/v1/videos", wanted(form)));
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
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  const model = models.some(({ id }) => id === kept.model) ? kept.model : models[0].id;
  options(form.elements.model, models.map(({ id }) => [id, id]), model);
  showModel();
  for (const [name, value] of Object.entries(kept)) {
    if (form.elements[name]) form.elements[name].value = value;
  }
}

function showModel() {
  const form = $("composer");
  const model = models.find(({ id }) => id === form.elements.model.value);
  form.elements.model.title = model.description;
  options(form.elements.size, model.sizes.map((size) => [size, size.replace("x", " × ")]), model.sizes[0]);
  const stops = model.stages.slice(0, -1).map(({ kind }) => [kind, stageName(kind)]);
  options(form.elements.stop_after, [["", "the last stage"], ...stops], "");
  options(form.elements.motion, [["", "as the prompt says"], ...model.motions.map((name) => [name, name])], "");
  $("motion-field").hidden = model.motions.length === 0;
  $("prompt").maxLength = model.max_prompt_chars;
  $("examples").replaceChildren(
    ...model.example_prompts.map((prompt) =>
      h("button", { type: "button", class: "chip", onclick: () => useExample(prompt) }, prompt),
    ),
  );
  $("stage-parameters").tBodies[0].replaceChildren(
    ...model.stages.map((stage) =>
      h("tr", {},
        h("th", { scope: "row" }, stageName(stage.kind)),
        h("td", {}, number(`steps.${stage.kind}`, stage.steps, 1, stage.max_steps, 1)),
        h("td", {}, number(`guidance_scale.${stage.kind}`, stage.guidance_scale, 1, 30, "any")),
      ),
    ),
  );
}

function number(name, standard, min, max, step) {
  const label = `${name.split(".")[0].replace("_", " ")} of ${name.split(".")[1]}`;
  return h("input", { type: "number", name, min, max, step, placeholder: standard, "aria-label": label });
}

function useExample(prompt) {
  $("prompt").value = prompt;
  $("prompt").dispatchEvent(new Event("input", { bubbles: true }));
  $("prompt").focus();
}

function wanted(form) {
  const body = { prompt: $("prompt").value, steps: {}, guidance_scale: {} };
  for (const [name, value] of new FormData(form)) {
    const [group, kind] = name.split(".");
    if (value === "" || name === "prompt") continue;
    if (kind) body[group][kind] = Number(value);
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

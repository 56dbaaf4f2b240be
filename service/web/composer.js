// The form that asks for a new video. Its entries survive a reload.

import { request } from "./api.js";
import { $, announce, h, optionsOfStages, setOptions } from "./dom.js";
import { installDoubts } from "./doubts.js";
import { clearErrors, faultsOf, refusalsOf, showErrors } from "./fields.js";
import { bodyOf, parameterTable } from "./parameters.js";
import { findWords, useWord, vary } from "./vocabulary.js";
import { capitalise, sizeOf } from "./words.js";

const STORAGE_KEY = "cascade-composer";
const FEW_EXAMPLES = 6;
let model = null;
let allExamples = false;

export function installComposer(models, onCreated) {
  const form = $("composer");
  const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "{}");
  setOptions(form.elements.model, models.map(({ id }) => [id, id]), models.some(({ id }) => id === stored.model) ? stored.model : models[0].id);
  form.elements.model.addEventListener("change", () => chooseModel(models));
  chooseModel(models);
  for (const [name, value] of Object.entries(stored)) {
    if (form.elements[name]) form.elements[name].value = value;
  }
  form.addEventListener("input", () => {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(Object.fromEntries(new FormData(form))));
    showChoices(form);
  });
  showChoices(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, onCreated);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  $("vary").addEventListener("click", () => setPrompt(vary($("prompt").value, model.vocabulary)));
  $("more-ideas").addEventListener("click", () => {
    allExamples = !allExamples;
    showExamples();
  });
  installDoubts(form);
}

async function submit(form, onCreated) {
  const faults = faultsOf(form);
  if (faults.length) return showErrors(form, faults);
  clearErrors(form);
  const button = form.querySelector("[type=submit]");
  if (button.disabled) return;
  button.disabled = true;
  try {
    onCreated(await request("POST", "/v1/videos", bodyOf(form)));
  } catch (error) {
    showErrors(form, refusalsOf(error));
  } finally {
    button.disabled = false;
  }
}

function chooseModel(models) {
  const form = $("composer");
  model = models.find(({ id }) => id === form.elements.model.value);
  form.elements.model.title = model.description;
  setOptions(form.elements.size, model.sizes.map((size) => [size, sizeOf(size)]), model.sizes[0]);
  setOptions(form.elements.stop_after, [["", "the last stage"], ...optionsOfStages(model.stages.slice(0, -1))], "");
  // A select that names a list of the model offers its entries, and hides where there are none.
  for (const select of form.querySelectorAll("select[data-list]")) {
    const entries = model[select.dataset.list];
    setOptions(select, [["", select.dataset.none], ...entries.map((name) => [name, name])], "");
    select.closest("label").hidden = entries.length === 0;
  }
  $("prompt").maxLength = model.max_prompt_chars;
  form.elements.seed.max = model.max_seed;
  form.elements.best_of.max = model.max_best_of;
  $("stage-parameters").replaceChildren(parameterTable(model.stages, (stage, parameter) => stage[parameter]));
  showExamples();
  showVocabulary();
}

// What holds without opening the options, and whether there is a word of the prompt that can be exchanged.
function showChoices(form) {
  const { model: preset, size, seed } = form.elements;
  $("chosen-options").textContent = [preset.value, sizeOf(size.value), seed.value && `seed ${seed.value}`].filter(Boolean).join(" · ");
  $("vary").hidden = findWords($("prompt").value, model.vocabulary).length === 0;
}

// An example goes into the prompt by a click; its button then offers the same sentence about other things.
function showExamples() {
  const { example_prompts: examples, vocabulary } = model;
  $("more-ideas").hidden = examples.length <= FEW_EXAMPLES;
  $("more-ideas").textContent = allExamples ? "Show fewer" : `Show all ${examples.length}`;
  $("more-ideas").setAttribute("aria-expanded", allExamples);
  $("examples").classList.toggle("all", allExamples);
  $("examples").replaceChildren(...examples.slice(0, allExamples ? undefined : FEW_EXAMPLES).map((example) => {
    const button = h("button", { type: "button", class: "example" }, example);
    button.addEventListener("click", () => {
      setPrompt(button.textContent);
      button.textContent = vary(button.textContent, vocabulary);
    });
    return button;
  }));
}

function showVocabulary() {
  const attributes = Object.entries(model.vocabulary);
  $("words").hidden = attributes.length === 0;
  $("vocabulary").replaceChildren(...attributes.map(([attribute, words]) => h("div", {},
    h("dt", {}, capitalise(attribute.replaceAll("_", " "))),
    h("dd", {}, ...words.map((word) => h("button", { type: "button", class: "word", onclick: () => insert(attribute, word) }, word))),
  )));
}

function insert(attribute, word) {
  const { value, selectionStart } = $("prompt");
  const { text, caret } = useWord(value, selectionStart, attribute, word, model.vocabulary);
  setPrompt(text);
  $("prompt").selectionStart = $("prompt").selectionEnd = caret;
}

function setPrompt(text) {
  $("prompt").value = text;
  $("prompt").dispatchEvent(new Event("input", { bubbles: true }));
  announce(`The prompt is: ${text}`);
}

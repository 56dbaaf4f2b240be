// Two stages of one video over each other; a slider sets where they meet.

import { $, optionsOfStages, setOptions } from "./dom.js";

let follower = 0;

export function compare(stages) {
  setOptions($("compare-left"), optionsOfStages(stages), stages.at(0).name);
  setOptions($("compare-right"), optionsOfStages(stages), stages.at(-1).name);
  const show = () => {
    for (const side of ["left", "right"]) {
      const url = stages.find(({ name }) => name === $(`compare-${side}`).value).preview_url;
      if ($(`clip-${side}`).src !== url) $(`clip-${side}`).src = url;
    }
    $("clip-right").play().catch(() => {});
  };
  $("compare-left").onchange = show;
  $("compare-right").onchange = show;
  $("slider").oninput = place;
  $("compare").onclose = () => {
    cancelAnimationFrame(follower);
    for (const side of ["left", "right"]) $(`clip-${side}`).removeAttribute("src");
  };
  show();
  place();
  $("compare").showModal();
  $("slider").focus();
  keepInStep();
}

function place() {
  const share = $("slider").value;
  $("clip-left").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  $("divider").style.left = `${share}%`;
}

// The clips have different frame rates: the left one is put where the right one is, as a share of its length.
function keepInStep() {
  const [left, right] = [$("clip-left"), $("clip-right")];
  if (left.duration && right.duration && !left.seeking) {
    const target = (right.currentTime / right.duration) * left.duration;
    if (Math.abs(left.currentTime - target) > 0.05) left.currentTime = target;
  }
  follower = requestAnimationFrame(keepInStep);
}

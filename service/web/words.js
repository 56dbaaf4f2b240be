// What the page says of videos, stages and times.

export const STATUS_WORDS = {
  queued: "waiting",
  in_progress: "under way",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
};

export const ADVICE = {
  stage_failed: "Retry runs the failed stage again; if it fails once more, change the parameters or ask the operator.",
  retries_exhausted: "The stage failed several times. Retry later, or ask the operator to look at its worker.",
  worker_lost: "Its worker vanished again and again, often for lack of memory. Ask the operator, or choose fewer steps or a smaller size.",
  artifact_lost: "A stored clip is gone. Retry makes it anew.",
};

export const isActive = ({ status }) => status === "queued" || status === "in_progress";
export const isDraft = ({ status, stages }) => status === "completed" && stages.some((stage) => stage.status === "pending");
// Nothing of it was made or begun yet; stages taken from another video do not count.
export const isWaiting = ({ status, stages }) => isActive({ status }) && stages.every((stage) => stage.reused || !(stage.started_at || stage.attempts));
export const isUnderWay = (video) => isActive(video) && !isWaiting(video);

export const statusOf = (video) => (isDraft(video) ? "draft" : STATUS_WORDS[video.status]);
export const sizeOf = (size) => size.replace("x", " × ");
export const shortId = (id) => id.replace(/^video_/, "").slice(0, 8);
export const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function stateOf(stage) {
  if (stage.reused) return "reused";
  if (stage.waiting_for) return `waits for ${stage.waiting_for}`;
  if (stage.status === "completed") return stage.seconds == null ? "done" : `${stage.seconds.toFixed(1)} s`;
  if (stage.status === "in_progress") return stage.step ? `step ${stage.step} of ${stage.steps}` : "starting";
  if (stage.status === "queued") return stage.attempts ? "waiting to try again" : "next";
  return { pending: "to come", failed: "failed", cancelled: "cancelled" }[stage.status];
}

// "place 3 in the queue · about 40 s left", as much of it as is known.
export function estimateOf({ estimate }) {
  const { position, seconds_left: seconds } = estimate ?? {};
  const place = position == null ? null : position === 1 ? "next in the queue" : `place ${position} in the queue`;
  return [place, seconds == null ? null : `${roughly(seconds)} left`].filter(Boolean).join(" · ");
}

// The same for narrow screens: "place 3 · about 40 s".
export const shortly = (text) => text.replaceAll(/ in the queue| left\b/g, "");

function roughly(seconds) {
  if (seconds < 5) return "a few seconds";
  if (seconds < 90) return `about ${Math.ceil(seconds / 5) * 5} s`;
  return seconds < 5400 ? `about ${Math.round(seconds / 60)} min` : `about ${Math.round(seconds / 3600)} h`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, seconds).toFixed(1)} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

export function timeOf(unixSeconds) {
  const time = new Date(unixSeconds * 1000);
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString([], { timeStyle: "short" }) : time.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

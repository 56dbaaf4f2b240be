// A sound or a notification when a video has ended, for those who ask for it. The choice stays in this browser.

import { $ } from "./dom.js";
import { statusOf } from "./words.js";

const STORAGE_KEY = "cascade-alerts";
const NOTES_HZ = [523.25, 783.99]; // C5, G5
const canNotify = "Notification" in window && window.isSecureContext;
let audio = null;

const boxes = () => Object.fromEntries([...$("alerts").querySelectorAll("input")].map((box) => [box.name, box]));

export function installAlerts() {
  const { sound, notification } = boxes();
  const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
  sound.checked = Boolean(stored.sound);
  notification.checked = Boolean(stored.notification) && canNotify && Notification.permission === "granted";
  notification.disabled = !canNotify;
  if (!canNotify) note("Notifications need HTTPS, or a gateway on this machine.");
  sound.addEventListener("change", () => {
    if (sound.checked) chime();
    store();
  });
  notification.addEventListener("change", async () => {
    if (notification.checked && (await Notification.requestPermission()) !== "granted") {
      notification.checked = false;
      note("The browser does not allow notifications of this page.");
    }
    store();
  });
  showState();
}

export function alertEnd(video) {
  const { sound, notification } = boxes();
  if (sound.checked) chime();
  if (notification.checked && !document.hasFocus()) {
    const shown = new Notification(`Video ${statusOf(video)}`, { body: video.prompt, tag: video.id });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  }
}

function store() {
  const { sound, notification } = boxes();
  localStorage.setItem(STORAGE_KEY, JSON.stringify({ sound: sound.checked, notification: notification.checked }));
  showState();
}

function showState() {
  const on = Object.values(boxes()).some(({ checked }) => checked);
  $("alerts-button").textContent = on ? "Alerts on" : "Alerts";
}

const note = (text) => ($("alerts-note").textContent = text);

function chime() {
  audio ??= new AudioContext();
  audio.resume();
  NOTES_HZ.forEach((hertz, index) => {
    const start = audio.currentTime + 0.16 * index;
    const loudness = new GainNode(audio, { gain: 0 });
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.12, start + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
    const tone = new OscillatorNode(audio, { frequency: hertz });
    tone.connect(loudness).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.65);
  });
}

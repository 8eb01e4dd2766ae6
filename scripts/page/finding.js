// Shows one step of a finding: the elements of the forest that exist then, with the words that they have then, and the
// tables. Buttons, a click on an operation, and the arrow keys, Home and End move.
"use strict";

const steps = JSON.parse(document.getElementById("steps").textContent);
const items = [...document.querySelectorAll("#operations li")];
const elements = [...document.querySelectorAll("#forest g.node, #forest g.edge")].filter((g) => /^[ne]\d+$/.test(g.id));
let current = -1;

function showElement(group, shown) {
  group.style.visibility = shown ? "visible" : "hidden";
  if (!shown) return;
  const lines = group.querySelectorAll("text");
  if (lines.length > 1) lines[1].textContent = shown[0];
  group.classList.toggle("wrong", shown[1] === "wrong");
}

// What the kernel stopped in has no state of its own: the last one there is stays.
function show(index) {
  current = Math.max(0, Math.min(items.length - 1, index));
  const step = steps[Math.min(current, steps.length - 1)];
  elements.forEach((group) => showElement(group, step.shown[group.id]));
  ["pds", "cpus", "model"].forEach((part) => { document.getElementById(part).innerHTML = step[part]; });
  items.forEach((item, i) => {
    if (i === current) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  items[current].scrollIntoView({ block: "nearest" });
  document.getElementById("position").textContent = `step ${current} of ${items.length - 1}`;
  document.getElementById("previous").disabled = current === 0;
  document.getElementById("next").disabled = current === items.length - 1;
}

const moves = {
  ArrowLeft: () => current - 1,
  ArrowUp: () => current - 1,
  ArrowRight: () => current + 1,
  ArrowDown: () => current + 1,
  Home: () => 0,
  End: () => items.length - 1,
};

document.addEventListener("keydown", (event) => {
  if (!moves[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  show(moves[event.key]());
});
document.getElementById("previous").addEventListener("click", () => show(current - 1));
document.getElementById("next").addEventListener("click", () => show(current + 1));
items.forEach((item, index) => item.querySelector("button").addEventListener("click", () => show(index)));

const failing = items.findIndex((item) => item.classList.contains("failing"));
show(failing >= 0 ? failing : items.length - 1);

// What is wrong, as the live socket says it, and how the automations did. The rest of the page is in page.js.

import { $, API, ago, element, get } from "./page.js";

const RANK = { critical: 0, high: 1, medium: 2, low: 3 };
const open = new Map(); // id -> alert
let automations = [];

export async function load() {
  const [found, known] = await Promise.allSettled([get("/alerts?open=true&limit=200", 5), get("/automations?limit=200", 5)]);
  if (found.status === "fulfilled") {
    open.clear();
    for (const alert of found.value) open.set(alert.id, alert);
  }
  if (known.status === "fulfilled") automations = known.value;
  paint();
}

export function heard(alert) {
  if (alert.status === "resolved") open.delete(alert.id);
  else open.set(alert.id, alert);
  paint();
}

export function paint() {
  const shown = [...open.values()].filter((alert) => alert.status !== "suppressed");
  shown.sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.id - a.id);
  const behind = open.size - shown.length;
  $("alerts").hidden = !shown.length;
  $("alert-count").textContent = shown.length + (behind ? ` and ${behind} that these explain` : "");
  $("alert-list").replaceChildren(...shown.map(row));
  $("automations").hidden = !automations.length;
  $("automation-list").replaceChildren(...automations.map(ran));
}

function row(alert) {
  const item = element("li", "", "");
  const words = element("div", "", "");
  words.append(element("b", "", alert.title), element("p", "", alert.message));
  const side = element("div", "side", "");
  if (alert.status === "triggered") {
    const button = element("button", "plain", "Acknowledge");
    button.onclick = () => acknowledge(alert, button);
    side.append(button);
  } else {
    side.append(element("span", "status", alert.status === "acknowledged" ? `${alert.acknowledged_by} cares` : alert.status));
  }
  side.append(element("span", "age", ago(Date.parse(alert.triggered))));
  item.append(element("span", `status severity ${alert.severity}`, alert.severity), words, side);
  return item;
}

async function acknowledge(alert, button) {
  button.disabled = true;
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
  const answer = await fetch(`${API}/alerts/${alert.id}/acknowledge`, sent).catch(() => null);
  if (!answer?.ok) button.textContent = "That did not work; again?";
  button.disabled = false; // the socket says what it became
}

function ran(automation) {
  const item = element("li", "", "");
  const words = element("div", "", "");
  const state = automation.running ? "runs" : automation.enabled ? automation.last_result ?? "never ran" : "disabled";
  words.append(element("b", "", automation.name), element("p", "", automation.description ?? ""));
  const bad = ["failed", "lost", "loop"].includes(automation.last_result) && !automation.running;
  item.append(element("span", `status${automation.running ? " online" : bad ? " error" : ""}`, state), words);
  item.append(element("span", "age", automation.last_triggered ? ago(Date.parse(automation.last_triggered)) : ""));
  return item;
}

// The built-in page: live states by device, and the history of one series. Plain script, no build; everything that
// comes from outside goes in as textContent.

import * as alerts from "./alerts.js";

export const $ = (id) => document.getElementById(id);
export const API = "/api/v1";
const HOUR = 3600e3;
const RESOLUTION = { 1: "1m", 6: "1m", 24: "5m", 168: "1h", 720: "1h" };
const STEP = { "1m": 60e3, "5m": 300e3, "1h": HOUR };
const REGISTER = /^(reactive_)?energy_|^(gas|water|heat|pulses)$/; // shown as what they counted, as bars
const PERIODS = "energy"; // the one that comes as amounts of stated periods
const GAP = 15 * 60e3; // a pause that breaks the line
const FIRST = ["power", "energy_import", "energy_export", "soc", "voltage", "current", "temperature"];

const devices = new Map(); // id -> {id, name, kind, status, card, body, …}
const series = new Map(); // "device.quantity" -> {device, quantity, unit, kind, value, at, row, …}
const changed = new Set(); // of series, until the next frame
let chosen = decodeURIComponent(location.hash.slice(1));
let hours = 24;
let points = [];
let bars = false; // whether the points are amounts of spans, not values at instants
let problem = null; // why there is no history
let cursor = null;

// --- words and numbers -------------------------------------------------------------------------------------------

function label(quantity) {
  const words = quantity.replace(/_(l[123]|t[1-4]|dc|thd)$/, (_, end) => " " + end.toUpperCase()).replace(/_/g, " ");
  return words === "soc" ? "State of charge" : words[0].toUpperCase() + words.slice(1);
}

const KILO = { W: "kW", VA: "kVA", var: "kvar" };

function shown(value, unit, fixed = false) {
  if (typeof value !== "number") return [String(value ?? "–"), unit ?? ""];
  if (KILO[unit] && Math.abs(value) >= 10000) [value, unit] = [value / 1000, KILO[unit]];
  const size = Math.abs(value);
  const register = fixed && (unit === "kWh" || unit === "m³"); // always with the same digits, as on a display
  const digits = register && size >= 1 ? 2 : size >= 1000 ? 1 : size >= 1 ? 2 : 3;
  return [value.toLocaleString(undefined, { maximumFractionDigits: digits, minimumFractionDigits: register ? digits : 0 }).replace(/^-/, "−"), unit ?? ""];
}

const both = (value, unit) => shown(value, unit).join(" ").trim();

export function ago(at) {
  const s = Math.max(0, Math.round((Date.now() - at) / 1000));
  if (s < 5) return "now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return new Date(at).toLocaleDateString();
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// --- the API -----------------------------------------------------------------------------------------------------

class Failed extends Error {}

export async function get(path, pages = 1) {
  const found = [];
  for (let cursor = null; pages > 0; pages--) {
    const next = cursor ? `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}` : path;
    const response = await fetch(API + next, { headers: { Accept: "application/json" } });
    if (response.status === 401) return location.reload(), new Promise(() => {}); // signed out: the form takes over
    const answer = await response.json().catch(() => null);
    if (!answer?.success) throw new Failed(answer?.error?.message ?? `the hub answered ${response.status}`);
    found.push(...answer.data);
    cursor = answer.meta.nextCursor;
    if (!cursor) break;
  }
  return found;
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text ?? "";
}

// --- the table ---------------------------------------------------------------------------------------------------

async function load() {
  try {
    const [known, states] = await Promise.all([get("/devices?limit=1000", 20), get("/states", 50)]);
    for (const device of known) Object.assign(deviceOf(device.id), device);
    for (const state of states) {
      const one = seriesOf(state.device, state.quantity);
      one.unit = state.unit ?? one.unit;
      take(one, state.value, Date.parse(state.at));
    }
    trouble(null);
  } catch (error) {
    trouble(`The states could not be loaded: ${error.message}`);
  }
  arrange();
}

let reload = 0;
function loadSoon() {
  reload ||= setTimeout(() => { reload = 0; load(); }, 1000);
}

function deviceOf(id) {
  if (!devices.has(id)) devices.set(id, { id, name: id, kind: "", status: "unknown" });
  return devices.get(id);
}

function seriesOf(device, quantity) {
  const key = `${device}.${quantity}`;
  deviceOf(device);
  if (!series.has(key)) series.set(key, { key, device, quantity, unit: "", value: null, at: 0 });
  return series.get(key);
}

function take(one, value, at) {
  if (!(at >= one.at)) return;
  one.value = value;
  one.at = at;
  changed.add(one);
  if (changed.size === 1) requestAnimationFrame(paint);
}

function paint() {
  for (const one of changed) {
    if (!one.row) continue;
    const [number, unit] = shown(one.value, one.unit, true);
    one.number.textContent = number;
    one.unitCell.textContent = unit;
    one.age.textContent = ago(one.at);
  }
  if (changed.has(series.get(chosen))) head();
  changed.clear();
}

/** What the chart shows until somebody chooses: the power of a meter, where there is one. */
const first = (one) => rank(one.quantity) + (devices.get(one.device).kind === "meter" ? 0 : 0.5);

function rank(quantity) {
  const place = FIRST.indexOf(quantity);
  return place < 0 ? FIRST.length : place;
}

/** Put every device and series in its place; only what is new is made. */
function arrange() {
  const byDevice = Map.groupBy ? Map.groupBy(series.values(), (one) => one.device) : group(series.values());
  const order = [...devices.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const device of order) {
    if (!device.card) makeDevice(device);
    paintDevice(device);
    const rows = (byDevice.get(device.id) ?? []).sort((a, b) => rank(a.quantity) - rank(b.quantity) || a.quantity.localeCompare(b.quantity));
    for (const one of rows) device.body.append(one.row ?? makeRow(one));
    $("devices").append(device.card);
  }
  $("empty").hidden = devices.size > 0;
  $("empty").textContent = "No device has reported yet. What arrives over MQTT, HTTP or an integration shows up here by itself.";
  if (!series.has(chosen)) choose([...series.values()].sort((a, b) => first(a) - first(b))[0]?.key);
  filter();
}

function group(all) {
  const found = new Map();
  for (const one of all) found.set(one.device, [...(found.get(one.device) ?? []), one]);
  return found;
}

function makeDevice(device) {
  device.card = element("section", "card device");
  const table = element("table");
  const title = table.createCaption();
  const heads = table.createTHead().insertRow();
  for (const text of ["Quantity", "Value", "Updated"]) heads.append(Object.assign(element("th", "", text), { scope: "col" }));
  device.body = table.createTBody();
  device.title = element("span");
  device.kindOf = element("span", "kind");
  device.badge = element("span", "status");
  title.append(device.title, device.kindOf, device.badge);
  device.card.append(table);
}

function paintDevice(device) {
  device.title.textContent = device.name || device.id;
  device.kindOf.textContent = [device.kind === "other" ? "" : device.kind, device.location].filter(Boolean).join(" · ").replace(/_/g, " ");
  device.badge.textContent = device.status;
  device.badge.className = `status ${device.status}`;
  device.badge.hidden = device.status === "unknown";
  device.badge.title = device.reason ?? "";
}

function makeRow(one) {
  one.row = element("tr");
  const name = element("td");
  const value = element("td", "number");
  one.button = element("button", "series", label(one.quantity));
  one.button.setAttribute("aria-pressed", one.key === chosen);
  one.button.onclick = () => choose(one.key, true);
  one.number = element("b");
  one.unitCell = element("span");
  one.age = element("td", "age");
  name.append(one.button);
  value.append(one.number, one.unitCell);
  one.row.append(name, value, one.age);
  changed.add(one);
  requestAnimationFrame(paint);
  return one.row;
}

function filter() {
  const wanted = $("filter").value.trim().toLowerCase();
  let count = 0;
  for (const device of devices.values()) {
    const itself = `${device.name} ${device.id} ${device.kind} ${device.location ?? ""}`.toLowerCase().includes(wanted);
    let any = itself;
    for (const one of series.values()) {
      if (one.device !== device.id || !one.row) continue;
      one.row.hidden = !(itself || label(one.quantity).toLowerCase().includes(wanted));
      any ||= !one.row.hidden;
    }
    if (device.card) device.card.hidden = !any;
    count += any;
  }
  $("count").textContent = count;
}

// --- history -----------------------------------------------------------------------------------------------------

function choose(key, byHand = false) {
  if (!key) return;
  for (const one of [series.get(chosen), series.get(key)]) one?.button?.setAttribute("aria-pressed", one.key === key);
  chosen = key;
  if (byHand) {
    history.replaceState(null, "", `#${encodeURIComponent(key)}`);
    $("history").scrollIntoView({ block: "nearest" });
  }
  points = [];
  loadChart();
}

function head() {
  const one = series.get(chosen);
  $("history").hidden = !one;
  if (!one) return;
  $("chart-title").textContent = `${deviceOf(one.device).name} · ${label(one.quantity)}`;
  [$("now-value").textContent, $("now-unit").textContent] = shown(one.value, one.unit, true);
}

async function loadChart() {
  const one = series.get(chosen);
  head();
  if (!one) return;
  const asked = [chosen, hours].join();
  const resolution = RESOLUTION[hours];
  const start = new Date(Math.floor((Date.now() - hours * HOUR) / STEP[resolution]) * STEP[resolution]);
  const asIs = one.quantity === PERIODS;
  const query = new URLSearchParams({ quantity: one.quantity, start: start.toISOString(), resolution: asIs ? "raw" : resolution, limit: 5000 });
  try {
    const found = typeof one.value === "string" ? [] : await get(`/devices/${encodeURIComponent(one.device)}/energy/readings?${query}`);
    if (asked !== [chosen, hours].join()) return; // another one was chosen meanwhile
    bars = asIs || REGISTER.test(one.quantity);
    points = asIs ? found.map(period) : bars ? used(found) : found.map(point);
    problem = null;
  } catch (error) {
    points = [];
    problem = `The history could not be loaded: ${error.message}`;
  }
  cursor = null;
  draw();
}

const point = (r) => ({ at: Date.parse(r.start), low: r.min, value: r.mean, high: r.max });

const period = (r) => ({ at: Date.parse(r.start), end: Date.parse(r.at), low: Math.min(0, r.value), value: r.value, high: Math.max(0, r.value) });

/** What a register counted in each span: from the last value of the one before, unless that is missing. */
function used(found) {
  const step = STEP[RESOLUTION[hours]];
  return found.map((r, i) => {
    const at = Date.parse(r.start);
    const before = i && at - Date.parse(found[i - 1].start) === step ? found[i - 1].last : r.first;
    const value = Math.max(0, r.last - before);
    return { at, end: at + step, low: 0, value, high: value };
  });
}

const SVG = "http://www.w3.org/2000/svg";

function shape(parent, tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((n) => n * ten >= rough) * ten;
  const found = [];
  for (let i = Math.floor(low / step + 1e-9); i * step < high + step * 0.999; i++) found.push(i * step);
  return found;
}

function timeTicks(start, end, count) {
  const spans = [5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 10080].map((m) => m * 60e3);
  const step = spans.find((span) => (end - start) / span <= count) ?? spans.at(-1);
  const midnight = new Date(start);
  midnight.setHours(0, 0, 0, 0);
  const found = [];
  for (let i = 0; ; i++) {
    const at = step < 86400e3 ? +midnight + i * step : new Date(midnight).setDate(midnight.getDate() + (i * step) / 86400e3);
    if (at > end) return [found, step];
    if (at >= start) found.push(at);
  }
}

let view = null; // how the chart was drawn last, for the cursor

function draw() {
  const box = $("chart");
  box.replaceChildren();
  const one = series.get(chosen);
  const drawn = points.filter((p) => Number.isFinite(p.value));
  view = null;
  if (!one || !drawn.length) {
    box.append(element("p", "blank", problem ?? (typeof one?.value === "string" ? "Texts have no curve." : "Nothing is stored for this span yet.")));
    return;
  }
  const width = Math.max(280, box.clientWidth);
  const height = Math.max(160, box.clientHeight);
  const end = Date.now();
  const start = end - hours * HOUR;
  const step = STEP[RESOLUTION[hours]];
  let low = Math.min(...drawn.map((p) => p.low));
  let high = Math.max(...drawn.map((p) => p.high));
  if (low > 0 && low < high * 0.6) low = 0;
  if (high < 0 && high > low * 0.6) high = 0;
  const least = Math.max(Math.abs(low), Math.abs(high)) * 0.02 || 1; // noise is not blown up to a mountain range
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  const levels = ticks(low, high, 4);
  [low, high] = [levels[0], levels.at(-1)];
  const texts = levels.map((level) => both(level, one.unit));
  const left = Math.max(...texts.map((text) => text.length)) * 7.2 + 12;
  const x = (at) => left + ((at - start) / (end - start)) * (width - left - 6);
  const y = (value) => 8 + ((high - value) / (high - low)) * (height - 34);
  const svg = shape(box, "svg", { viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img", "aria-label": summary(one, drawn) });

  levels.forEach((level, i) => {
    shape(svg, "line", { class: level === 0 && low < 0 ? "zero" : "grid", x1: left, x2: width - 6, y1: y(level), y2: y(level) });
    shape(svg, "text", { x: left - 8, y: y(level) + 4, "text-anchor": "end" }, texts[i]);
  });
  const [times, span] = timeTicks(start, end, Math.max(3, Math.floor(width / 75)));
  for (const at of times) {
    const text = span < 86400e3 ? new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : new Date(at).toLocaleDateString([], { day: "numeric", month: "short" });
    if (x(at) > left + 14 && x(at) < width - 24) shape(svg, "text", { x: x(at), y: height - 6, "text-anchor": "middle" }, text);
  }
  if (bars) {
    for (const p of drawn) {
      const wide = Math.max(1, x(p.end) - x(p.at) - 1);
      const [top, bottom] = [y(p.high), y(p.low)];
      shape(svg, "rect", { class: "bar-of", x: x(p.at), width: wide, y: top, height: bottom - top, rx: Math.min(2, wide / 3) });
    }
  } else {
    for (const part of parts(drawn, Math.max(3 * step, GAP))) {
      const upper = part.map((p) => `${x(p.at).toFixed(1)},${y(p.high).toFixed(1)}`);
      const lower = part.map((p) => `${x(p.at).toFixed(1)},${y(p.low).toFixed(1)}`).reverse();
      shape(svg, "polygon", { class: "band", points: [...upper, ...lower].join(" ") });
      const line = part.map((p) => `${x(p.at).toFixed(1)},${y(p.value).toFixed(1)}`);
      shape(svg, "polyline", { class: "line", points: (part.length > 1 ? line : [line[0], line[0]]).join(" ") });
    }
  }
  view = { svg, x, y, drawn, width, height, one, mark: shape(svg, "g", {}), tip: element("div", "tip") };
  view.tip.hidden = true;
  box.append(view.tip);
  svg.onpointermove = (event) => point_at(event.clientX - svg.getBoundingClientRect().left);
  svg.onpointerleave = () => { cursor = null; mark(); };
  svg.onblur = svg.onpointerleave;
  svg.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    cursor = Math.min(drawn.length - 1, Math.max(0, (cursor ?? drawn.length) + move));
    mark();
  };
  mark();
}

function parts(drawn, gap) {
  const found = [];
  drawn.forEach((p, i) => (i && p.at - drawn[i - 1].at <= gap ? found.at(-1).push(p) : found.push([p])));
  return found;
}

function summary(one, drawn) {
  const low = Math.min(...drawn.map((p) => p.low));
  const high = Math.max(...drawn.map((p) => p.high));
  return `${label(one.quantity)} of ${deviceOf(one.device).name}, from ${both(low, one.unit)} to ${both(high, one.unit)}; arrow keys read single values`;
}

const middle = (p) => view.x(((p.end ?? p.at) + p.at) / 2);

function point_at(px) {
  cursor = view.drawn.reduce((best, p, i) => (Math.abs(middle(p) - px) < Math.abs(middle(view.drawn[best]) - px) ? i : best), 0);
  mark();
}

function mark() {
  if (!view) return;
  view.mark.replaceChildren();
  const p = cursor === null ? null : view.drawn[cursor];
  view.tip.hidden = !p;
  if (!p) return;
  const x = middle(p);
  shape(view.mark, "line", { class: "cursor", x1: x, x2: x, y1: 8, y2: view.height - 26 });
  shape(view.mark, "circle", { class: "dot", cx: x, cy: view.y(p.value), r: 4.5 });
  const when = new Date(p.at).toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  view.tip.replaceChildren(element("b", "", both(p.value, view.one.unit)), when);
  if (p.high > p.low && !p.end) view.tip.append(element("br"), `${both(p.low, view.one.unit)} … ${both(p.high, view.one.unit)}`);
  const room = view.width - view.tip.offsetWidth;
  view.tip.style.left = `${Math.min(room, Math.max(0, x + 12 > room ? x - 12 - view.tip.offsetWidth : x + 12))}px`;
  view.svg.setAttribute("aria-description", `${both(p.value, view.one.unit)}, ${when}`);
}

// --- the live socket ---------------------------------------------------------------------------------------------

let wait = 500;

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${API}/live`);
  const ping = setInterval(() => socket.readyState === 1 && socket.send('{"type":"PING"}'), 25000);
  socket.onopen = () => socket.send('{"type":"SUBSCRIBE"}');
  socket.onmessage = (event) => {
    const { type, payload } = JSON.parse(event.data);
    if (type === "CONNECTION_ACK") {
      wait = 500;
      connection("live", "on");
      load(); // what changed while we were away
      alerts.load();
    } else if (type === "ENERGY_UPDATE") {
      const fresh = !series.has(`${payload.device}.${payload.quantity}`);
      take(seriesOf(payload.device, payload.quantity), payload.value, Date.parse(payload.at));
      if (fresh) loadSoon();
    } else if (type === "DEVICE_STATUS") {
      const fresh = !devices.has(payload.device);
      const device = Object.assign(deviceOf(payload.device), { status: payload.status, reason: payload.reason });
      device.card ? paintDevice(device) : fresh && loadSoon();
    } else if (type === "ALERT") {
      alerts.heard(payload);
    }
  };
  socket.onclose = () => {
    clearInterval(ping);
    connection("no connection", "off");
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 15000);
  };
}

function connection(text, className) {
  $("connection").textContent = text;
  $("connection").className = `connection ${className}`;
}

// --- start -------------------------------------------------------------------------------------------------------

for (const button of document.querySelectorAll(".ranges button")) {
  button.onclick = () => {
    hours = Number(button.dataset.hours);
    for (const other of document.querySelectorAll(".ranges button")) other.setAttribute("aria-pressed", other === button);
    loadChart();
  };
}
$("filter").oninput = filter;
new ResizeObserver(() => view && Math.abs(view.width - Math.max(280, $("chart").clientWidth)) > 1 && draw()).observe($("chart"));
setInterval(() => series.forEach((one) => one.row && (one.age.textContent = ago(one.at))), 5000);
setInterval(loadChart, 60000);
setInterval(alerts.load, 15000);
connect();

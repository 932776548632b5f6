// The page of `siamese serve`. What comes from the server or the reader is only ever put into the
// page as text (textContent), never as HTML.
"use strict";

const MOST_HITS = 10;
const EVERYTHING = -1e9; // a threshold that all hits are above: the page draws the line itself
const PAUSE_MS = 250; // after a key, before a search

const $ = (id) => document.getElementById(id);
const state = { about: null, threshold: 0, own: 0, hits: null, compared: null, tab: "search" };

// ---- small helpers

function element(name, classes, ...children) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  made.append(...children);
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const shown = (number, digits = 3) => number.toFixed(digits).replace("-", "−");
const signed = (number) => (number >= 0 ? "+" : "") + shown(number);

class Refused extends Error {}

async function ask(path, body) {
  const headers = {};
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  let options = { headers };
  if (body) options = { method: "POST", headers, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused("The server does not answer. Is it still running?");
  }
  if (answer.status === 401) {
    $("token-form").hidden = false;
    $("token").focus();
  }
  let content;
  try {
    content = await answer.json();
  } catch {
    throw new Refused(`The server's answer (${answer.status}) cannot be read.`);
  }
  if (!answer.ok) throw new Refused(content.error ? content.error.message : `Status ${answer.status}.`);
  return content;
}

function show(...children) {
  $("results").replaceChildren(...children);
}

function complain(error) {
  if (!(error instanceof Refused)) throw error;
  show(element("p", "notice", error.message));
}

// ---- what a similarity means

function probabilityAt(similarity) {
  const { lowest, highest, probabilities } = state.about.scale;
  if (!probabilities) return null;
  const place = ((similarity - lowest) / (highest - lowest)) * (probabilities.length - 1);
  const left = Math.min(Math.max(Math.floor(place), 0), probabilities.length - 1);
  const right = Math.min(left + 1, probabilities.length - 1);
  const share = Math.min(Math.max(place - left, 0), 1);
  return probabilities[left] * (1 - share) + probabilities[right] * share;
}

function across(similarity) {
  const { lowest, highest } = state.about.scale;
  return Math.min(Math.max((similarity - lowest) / (highest - lowest), 0), 1) * 1000;
}

function drawThreshold() {
  const { threshold, own } = state;
  $("threshold-value").textContent = shown(threshold);
  $("threshold-reset").hidden = threshold === own;
  $("threshold-reset").textContent = `back to ${shown(own)}`;
  const probability = probabilityAt(threshold);
  const meaning =
    probability === null
      ? "What is more similar counts as the same. The model has no calibrator, so no probability."
      : `Two sentences of just this similarity mean the same with probability ${shown(probability, 2)}; within the band the model is unsure.`;
  $("threshold-meaning").textContent = meaning;
  $("threshold").setAttribute("aria-valuetext", `${shown(threshold)}. ${meaning}`);
  drawCurve();
}

function drawCurve() {
  const { probabilities, unsure } = state.about.scale;
  const curve = $("curve");
  curve.replaceChildren();
  const height = (probability) => 112 - 104 * probability;
  if (probabilities) {
    const last = probabilities.length - 1;
    const points = probabilities.map((p, i) => `${(i / last) * 1000},${height(p)}`);
    const between = probabilities.map((p, i) => [p, i]).filter(([p]) => p > unsure[0] && p < unsure[1]);
    if (between.length > 1) {
      const [start, end] = [between[0][1], between[between.length - 1][1]].map((i) => (i / last) * 1000);
      curve.append(drawn("rect", { class: "unsure", x: start, y: 0, width: end - start, height: 116 }));
    }
    curve.append(drawn("polygon", { class: "fill", points: `0,116 ${points.join(" ")} 1000,116` }));
    curve.append(drawn("polyline", { class: "stroke", points: points.join(" ") }));
  } else {
    curve.append(drawn("line", { class: "stroke", x1: 0, x2: 1000, y1: 112, y2: 112 }));
  }
  for (const similarity of similarities()) {
    const [x, y] = [across(similarity), height(probabilityAt(similarity) ?? 0)];
    const under = similarity > state.threshold ? "" : " under";
    curve.append(drawn("line", { class: `hit${under}`, x1: x, x2: x, y1: y, y2: y }));
  }
  const x = across(state.threshold);
  curve.append(drawn("line", { class: "cut", x1: x, x2: x, y1: 0, y2: 116 }));
}

function similarities() {
  if (state.tab === "search") return state.hits ? state.hits.map((hit) => hit.score) : [];
  return state.compared ? [state.compared.similarity] : [];
}

// ---- search

async function search() {
  const query = $("query").value;
  remember();
  state.hits = null;
  if (!query.trim()) {
    show();
    drawThreshold();
    return;
  }
  const k = Math.min(MOST_HITS, state.about.index.entries);
  try {
    const found = await ask("/search", { query, k, threshold: EVERYTHING });
    if (query !== $("query").value || state.tab !== "search") return; // overtaken
    state.hits = found.hits;
    draw();
  } catch (error) {
    complain(error);
  }
}

function drawHits() {
  if (!state.hits) return show();
  const above = state.hits.filter((hit) => hit.score > state.threshold);
  const below = state.hits.filter((hit) => !(hit.score > state.threshold));
  const parts = [];
  if (above.length) parts.push(element("ol", "", ...above.map((hit) => card(hit, false))));
  else parts.push(element("p", "notice", "No entry is similar enough: better no answer than a wrong one."));
  if (below.length) {
    const rule = element("p", "quiet rule", "Below the threshold");
    parts.push(rule, element("ol", "", ...below.map((hit) => card(hit, true))));
  }
  show(...parts);
}

function card(hit, isBelow) {
  const item = element("li", isBelow ? "card below" : "card");
  const score = element("span", "score", element("strong", "", shown(hit.score)));
  if (hit.probability !== undefined) {
    score.append(` p ${shown(hit.probability, 2)}`);
    score.title = "similarity, and the probability that both mean the same";
  }
  item.append(element("div", "head", element("span", "text", hit.text), score));
  if (!isBelow) item.append(...answerAndFields(hit));
  const why = element("button", "plain", "Why?");
  why.type = "button";
  why.setAttribute("aria-label", `Why is “${hit.text}” similar?`);
  why.addEventListener("click", () => {
    $("text1").value = $("query").value;
    $("text2").value = hit.text;
    choose("compare");
    compare();
    $("tab-compare").focus();
  });
  item.append(element("div", "foot", element("span", "quiet", `id ${hit.id}`), why));
  return item;
}

function answerAndFields(hit) {
  const parts = [];
  const fields = Object.entries(hit.fields).filter(([, value]) => value !== null && value !== "");
  const main = fields.find(([name]) => /^(answer|answers|reply|答案|回答|答复)$/i.test(name));
  if (main) parts.push(element("p", "answer", written(main[1])));
  const others = fields.filter((field) => field !== main);
  if (others.length) {
    const list = element("dl", "");
    for (const [name, value] of others) list.append(element("dt", "", name), element("dd", "", written(value)));
    parts.push(list);
  }
  return parts;
}

const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// ---- compare

async function compare() {
  const [text1, text2] = [$("text1").value, $("text2").value];
  remember();
  state.compared = null;
  try {
    const compared = await ask("/explain", { text1, text2 });
    if (state.tab !== "compare") return;
    state.compared = compared;
    draw();
  } catch (error) {
    complain(error);
  }
}

function drawComparison() {
  const compared = state.compared;
  if (!compared) return show();
  const answer = compared.similarity > state.threshold ? "similar" : "different";
  const head = element("div", "head");
  const figure = element("span", "figure", shown(compared.similarity));
  head.append(figure, element("span", `badge ${answer}`, answer));
  const box = element("div", "card", head);
  if (compared.probability !== undefined) {
    const unsure = compared.verdict === "unsure" ? ", so it is unsure" : "";
    const says = `They mean the same with probability ${shown(compared.probability, 2)}${unsure}.`;
    box.append(element("p", "quiet", says));
  }
  const sides = [
    [compared.text1, compared.contributions1],
    [compared.text2, compared.contributions2],
  ];
  const most = Math.max(...sides.flatMap(([, side]) => side.map(Math.abs)), 1e-9);
  for (const [text, contributions] of sides) box.append(characters(text, contributions, most));
  const legend = element("p", "quiet legend");
  legend.append(element("span", "together", "brings them together"), element("span", "apart", "sets them apart"));
  const tables = element("div", "tables", ...sides.map(([text, side]) => numbers(text, side)));
  const note = element("p", "quiet", "What the similarity loses when the character is left out.");
  box.append(legend, element("details", "", element("summary", "", "In numbers"), note, tables));
  show(box);
}

function characters(text, contributions, most) {
  const line = element("p", "characters");
  Array.from(text).forEach((character, i) => {
    const painted = element("span", contributions[i] >= 0 ? "together" : "apart", character);
    const strength = Math.abs(contributions[i]) / most;
    if (strength < 0.02) painted.className = "";
    painted.style.setProperty("--strength", (0.1 + 0.9 * strength).toFixed(3));
    painted.title = `${character} ${signed(contributions[i])}`;
    line.append(painted);
  });
  return line;
}

function numbers(text, contributions) {
  const table = element("table", "");
  Array.from(text).forEach((character, i) => {
    const name = element("th", "", character);
    name.scope = "row";
    table.append(element("tr", "", name, element("td", "", signed(contributions[i]))));
  });
  return table;
}

// ---- tabs, links, keys

function draw() {
  drawThreshold();
  if (state.tab === "search") drawHits();
  else drawComparison();
}

function choose(tab) {
  state.tab = tab;
  for (const name of ["search", "compare"]) {
    $(name).hidden = name !== tab;
    $(`tab-${name}`).setAttribute("aria-selected", String(name === tab));
    $(`tab-${name}`).tabIndex = name === tab ? 0 : -1;
  }
  remember();
  if (state.about) draw();
}

// What is asked is in the address, so that it can be passed on.
function remember() {
  const asked = new URLSearchParams();
  if (state.tab === "search") {
    if ($("query").value) asked.set("q", $("query").value);
  } else {
    asked.set("a", $("text1").value);
    asked.set("b", $("text2").value);
  }
  if (state.about && state.threshold !== state.own) asked.set("t", String(state.threshold));
  const text = asked.toString();
  history.replaceState(null, "", text ? `/?${text}` : "/");
}

function listen() {
  let pause;
  $("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    search();
  });
  $("query").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(search, PAUSE_MS);
  });
  $("compare-form").addEventListener("submit", (event) => {
    event.preventDefault();
    compare();
  });
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", $("token").value);
    $("token-form").hidden = true;
    show();
    start(new URLSearchParams(location.search));
  });
  $("threshold").addEventListener("input", () => {
    state.threshold = Number($("threshold").value);
    draw();
    remember();
  });
  $("threshold-reset").addEventListener("click", () => {
    state.threshold = state.own;
    $("threshold").value = state.own;
    draw();
    remember();
    $("threshold").focus();
  });
  for (const name of ["search", "compare"]) {
    $(`tab-${name}`).addEventListener("click", () => choose(name));
  }
  $("tabs").addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key) || $("tab-search").hidden) return;
    choose(state.tab === "search" ? "compare" : "search");
    $(`tab-${state.tab}`).focus();
  });
  document.addEventListener("keydown", (event) => {
    const typing = ["INPUT", "TEXTAREA"].includes(event.target.tagName);
    if (event.key !== "/" || typing || $("tab-search").hidden) return;
    event.preventDefault();
    choose("search");
    $("query").focus();
  });
}

async function start(asked) {
  try {
    state.about = await ask("/about");
  } catch (error) {
    return complain(error);
  }
  const { model, index, scale } = state.about;
  const size = index ? ` · ${index.entries.toLocaleString("en")} entries` : "";
  $("about").textContent = `${model.name}${size}`;
  document.title = `siamese · ${model.name}`;
  state.own = index ? index.threshold : model.threshold;
  const wanted = Number.parseFloat(asked.get("t"));
  state.threshold = Number.isFinite(wanted) ? wanted : state.own;
  Object.assign($("threshold"), { min: scale.lowest, max: scale.highest });
  $("threshold").value = state.threshold;
  $("tab-search").hidden = !index;
  $("query").value = asked.get("q") ?? "";
  $("text1").value = asked.get("a") ?? "";
  $("text2").value = asked.get("b") ?? "";
  choose(asked.has("a") || !index ? "compare" : "search");
  if (state.tab === "search" && $("query").value) await search();
  else if (state.tab === "compare" && $("text1").value && $("text2").value) await compare();
  document.body.dataset.ready = "yes"; // for tests
}

listen();
start(new URLSearchParams(location.search));

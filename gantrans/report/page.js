"use strict";
(() => {
  const {runs, curves, charts} = JSON.parse(document.getElementById("numbers").textContent);
  const NS = document.getElementById("seed").namespaceURI;
  const W = 400, H = 220, LEFT = 48, RIGHT = 10, TOP = 10, BOTTOM = 24;
  const DASHES = ["", "5 4", "1.5 4", "9 3 2 3"];
  const several = runs.length > 1;
  const shownRuns = runs.map(() => true);

  function svg(kind, attributes, parent, text) {
    const made = document.createElementNS(NS, kind);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }
  function html(kind, name, parent, text) {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }
  function short(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-3) return value.toExponential(1).replace("e+", "e");
    if (size >= 1e4) return (value / 1e3).toPrecision(3).replace(/\.?0+$/, "") + "k";
    return String(Number(value.toPrecision(5)));
  }
  function precise(value) {
    return value === null ? "no number" : String(Number(value.toPrecision(6)));
  }
  function ticks(low, high, count) {
    const raw = (high - low) / count, base = 10 ** Math.floor(Math.log10(raw));
    const step = base * [1, 2, 2.5, 5, 10].find(m => base * m >= raw);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
    return found;
  }
  function span(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    if (!(low <= high)) return [0, 1];
    if (low === high) return [low - Math.max(Math.abs(low) * 0.05, 1e-9), high + Math.max(Math.abs(high) * 0.05, 1e-9)];
    return [low, high];
  }
  // With several runs a colour is a run and a dash a metric; with one, a colour is a metric.
  function looks(mine) {
    const names = [...new Set(mine.map(c => c.name + " " + c.split))];
    return mine.map(c => {
      const metric = names.indexOf(c.name + " " + c.split);
      return several ? {color: c.run % 8, dash: DASHES[metric % 4]} : {color: metric % 8, dash: metric < 8 ? "" : "5 4"};
    });
  }
  function label(curve, mine) {
    const alone = mine.every(c => c.name === curve.name && c.split === curve.split);
    if (!several) return curve.name;
    return alone ? runs[curve.run] : runs[curve.run] + ": " + curve.name;
  }
  function path(points, x, y) {
    let text = "", pen = "M";
    for (const [step, value] of points) {
      if (value === null) { pen = "M"; continue; }
      text += pen + x(step).toFixed(1) + " " + y(value).toFixed(1);
      pen = "L";
    }
    return text;
  }
  function draw(chart, figure) {
    const mine = chart.curves.map(i => curves[i]).filter(c => shownRuns[c.run]);
    figure.replaceChildren();
    html("figcaption", "", figure, chart.title);
    const [first, last] = span(mine.flatMap(c => c.points.map(p => p[0])));
    let [low, high] = span(mine.flatMap(c => c.points.map(p => p[1]).filter(v => v !== null)));
    const pad = (high - low) * 0.06; low -= pad; high += pad;
    const x = step => LEFT + (step - first) / (last - first) * (W - LEFT - RIGHT);
    const y = value => H - BOTTOM - (value - low) / (high - low) * (H - TOP - BOTTOM);
    const board = svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": chart.title}, figure);
    for (const t of ticks(low, high, 5)) {
      svg("line", {class: "grid", x1: LEFT, x2: W - RIGHT, y1: y(t), y2: y(t)}, board);
      svg("text", {x: LEFT - 7, y: y(t) + 4, "text-anchor": "end"}, board, short(Math.abs(t) < (high - low) * 1e-6 ? 0 : t));
    }
    const steps = ticks(first, last, 4).filter(Number.isInteger);
    for (const t of steps) svg("text", {x: x(t), y: H - 6, "text-anchor": x(t) > W - 30 ? "end" : "middle"}, board, short(t));
    const styles = looks(mine);
    mine.forEach((c, i) => {
      const known = c.points.filter(p => p[1] !== null), group = svg("g", {class: "c" + styles[i].color}, board);
      svg("path", {class: "curve", d: path(c.points, x, y), "stroke-dasharray": styles[i].dash}, group);
      if (known.length <= 24) for (const [s, v] of known) svg("circle", {cx: x(s), cy: y(v), r: 2.2}, group);
    });
    if (mine.length > 1 || several) legend(mine, styles, figure);
    hover(mine, styles, figure, board, x);
  }
  function legend(mine, styles, figure) {
    const list = html("div", "legend", figure);
    mine.forEach((c, i) => {
      const entry = html("span", "c" + styles[i].color, list);
      const key = svg("svg", {viewBox: "0 0 20 8"}, entry);
      svg("path", {class: "curve", d: "M1 4L19 4", "stroke-dasharray": styles[i].dash}, key);
      entry.append(label(c, mine));
    });
  }
  function nearest(points, step) {
    return points.reduce((a, b) => Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a);
  }
  function hover(mine, styles, figure, board, x) {
    let cursor = null, tip = null;
    const leave = () => { if (tip) { tip.remove(); cursor.remove(); tip = cursor = null; } };
    board.addEventListener("pointerleave", leave);
    board.addEventListener("pointermove", event => {
      if (!mine.length) return;
      const box = board.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * W;
      const all = mine.flatMap(c => c.points);
      const step = all.reduce((a, b) => Math.abs(x(b[0]) - at) < Math.abs(x(a[0]) - at) ? b : a)[0];
      leave();
      cursor = svg("line", {class: "cursor", x1: x(step), x2: x(step), y1: TOP, y2: H - BOTTOM}, board);
      tip = html("div", "tip", figure);
      html("div", "", tip, "step " + step.toLocaleString("en"));
      mine.forEach(c => {
        const [near, value] = nearest(c.points, step), row = html("div", "", tip);
        html("span", "", row, label(c, mine) + (near === step ? "" : " (at " + near + ")"));
        html("b", "", row, precise(value));
      });
      const right = event.clientX - box.left > box.width / 2;
      tip.style.top = board.offsetTop + 10 + "px";
      if (right) tip.style.right = figure.clientWidth - (event.clientX - figure.getBoundingClientRect().left) + 14 + "px";
      else tip.style.left = event.clientX - figure.getBoundingClientRect().left + 14 + "px";
    });
  }

  const figures = [...document.querySelectorAll("[data-chart]")];
  const redraw = () => figures.forEach(f => draw(charts[Number(f.dataset.chart)], f));
  redraw();
  for (const button of document.querySelectorAll("[data-run]")) {
    button.addEventListener("click", () => {
      const run = Number(button.dataset.run);
      shownRuns[run] = !shownRuns[run];
      button.setAttribute("aria-pressed", String(shownRuns[run]));
      redraw();
    });
  }
  for (const strip of document.querySelectorAll("[data-strip]")) {
    const frames = [...strip.querySelectorAll(".frames img")];
    const input = strip.querySelector("input"), output = strip.querySelector("output");
    const show = () => {
      frames.forEach((f, i) => { f.hidden = i !== Number(input.value); });
      output.textContent = "step " + Number(frames[input.value].dataset.step).toLocaleString("en");
    };
    if (input) { input.addEventListener("input", show); show(); }
  }
  for (const compare of document.querySelectorAll("[data-compare]")) {
    const input = compare.querySelector("input"), over = compare.querySelector(".over"), bar = compare.querySelector(".bar");
    const show = () => {
      over.style.clipPath = `inset(0 0 0 ${input.value}%)`;
      bar.style.left = input.value + "%";
    };
    input.addEventListener("input", show);
    show();
  }
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));
  document.documentElement.dataset.ready = "true";
})();

"use strict";
// Texts of the log are only ever read and written as text: nothing here makes markup of them.
(() => {
  const find = (id) => document.getElementById(id);
  const list = find("step-list");
  if (!list) return;
  const steps = Array.from(list.children);
  const search = find("search"), outcome = find("outcome"), count = find("count"), nothing = find("nothing");
  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob(find(id).textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  // Of many steps, the details come after the page is there, as markup in which every text of the log is escaped.
  let bodies = [];
  const ready = find("later")
    ? new Promise((done) => setTimeout(done, 0)).then(() => unpack("later")).then((all) => { bodies = all; })
    : Promise.resolve();
  steps.forEach((step, number) => { step.dataset.number = number; });
  const fill = (step) => {
    const body = bodies[step.dataset.number];
    if (!body || step.dataset.filled) return;
    step.dataset.filled = "yes";
    const parsed = new DOMParser().parseFromString(body, "text/html");
    step.firstElementChild.append(...Array.from(parsed.body.childNodes, (node) => document.adoptNode(node)));
  };
  const show = (step, open) => { if (open) fill(step); step.firstElementChild.open = open; };
  list.addEventListener("toggle", (event) => {
    if (event.target.open) ready.then(() => fill(event.target.parentElement));
  }, true);

  const texts = new Map();
  const marks = { "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'", "&amp;": "&" };
  // Each < in there begins a tag of the page's own.
  const plain = (markup) => markup.replace(/<[^>]*>/g, " ").replace(/&(lt|gt|#34|#39|amp);/g, (mark) => marks[mark]);
  const textOf = (step) => {
    if (!texts.has(step)) {
      const body = step.dataset.filled ? "" : plain(bodies[step.dataset.number] || "");
      texts.set(step, (step.textContent + body).toLowerCase());
    }
    return texts.get(step);
  };
  const filter = () => {
    const wanted = search.value.trim().toLowerCase(), ending = outcome.value;
    let shown = 0;
    for (const step of steps) {
      const fits = (!ending || step.dataset.outcome === ending) && (!wanted || textOf(step).includes(wanted));
      step.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    count.textContent = `${shown} of ${steps.length} steps`;
    nothing.hidden = shown > 0;
  };
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => ready.then(filter), 120); });
  outcome.addEventListener("change", filter);
  const each = (open) => async () => { await ready; for (const step of steps) if (!step.hidden) show(step, open); };
  find("open-all").addEventListener("click", each(true));
  find("close-all").addEventListener("click", each(false));

  // A step's link shows it, opened, also while a filter hides it; its id alone is enough: #build.
  const follow = async () => {
    await ready;
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* It names nothing on this page. */ }
    const step = find("step-" + name) || find(name);
    document.querySelectorAll(".aim").forEach((old) => old.classList.remove("aim"));
    if (!name || !step || step.parentElement !== list) return;
    if (step.hidden) { search.value = ""; outcome.value = ""; filter(); }
    step.classList.add("aim");
    show(step, true);
    step.scrollIntoView();
    step.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = steps.filter((step) => !step.hidden && !step.firstElementChild.open);
    for (const step of closed) show(step, true);
  });
  addEventListener("afterprint", () => { for (const step of closed) show(step, false); closed = []; });

  // Records are read when somebody comes near them, and drawn some at a time.
  const records = find("record-list"), more = find("more-records"), recordSearch = find("record-search");
  const recordCount = find("record-count"), page = 100;
  let lines = null, fitting = [], drawn = 0;
  const draw = () => {
    for (const line of fitting.slice(drawn, drawn + page)) {
      const item = document.createElement("li");
      item.textContent = line;
      records.append(item);
    }
    drawn = Math.min(drawn + page, fitting.length);
    more.hidden = drawn >= fitting.length;
    recordCount.textContent = `${drawn} of ${fitting.length} records shown`;
  };
  const choose = async () => {
    lines = lines || await unpack("raw");
    const wanted = recordSearch.value.trim().toLowerCase();
    fitting = wanted ? lines.filter((line) => line.toLowerCase().includes(wanted)) : lines;
    drawn = 0;
    records.replaceChildren();
    draw();
  };
  more.addEventListener("click", draw);
  let choosing = 0;
  recordSearch.addEventListener("input", () => { clearTimeout(choosing); choosing = setTimeout(choose, 120); });
  new IntersectionObserver((seen, observer) => {
    if (seen.some((entry) => entry.isIntersecting)) { observer.disconnect(); if (!lines) choose(); }
  }, { rootMargin: "400px" }).observe(find("records"));

  filter();
  follow();
})();

"use strict";
// Shows the rows of the chosen results and concern. The page is whole without it: the controls are hidden until now.
(() => {
  const form = document.querySelector("#filter");
  const said = document.querySelector("#shown");
  const boxes = [...form.querySelectorAll("input")];
  const concern = form.querySelector("select");
  const tables = [...document.querySelectorAll("div.concern")];
  const all = document.querySelectorAll("tr[data-result]").length;

  function show() {
    const wanted = new Set(boxes.filter(box => box.checked).map(box => box.value));
    let shown = 0;
    for (const table of tables) {
      const chosen = !concern.value || table.dataset.concern === concern.value;
      let rows = 0;
      for (const row of table.querySelectorAll("tr[data-result]")) {
        row.hidden = !(chosen && wanted.has(row.dataset.result));
        rows += !row.hidden;
      }
      table.hidden = rows === 0;
      shown += rows;
    }
    said.textContent = shown === all ? `All ${all} results are shown.` : `${shown} of ${all} results are shown.`;
  }

  // the state is the fragment, so that a link can say "the failures of this concern"
  function write() {
    const wanted = boxes.filter(box => box.checked).map(box => box.value);
    const parts = [];
    if (wanted.length < boxes.length) parts.push(`result=${wanted.join(",")}`);
    if (concern.value) parts.push(`concern=${encodeURIComponent(concern.value)}`);
    history.replaceState(null, "", parts.length ? `#filter:${parts.join("&")}` : "#filter");
  }

  function read() {
    const target = location.hash.slice(1);
    if (target.startsWith("filter")) {
      const asked = new URLSearchParams(target.replace(/^filter:?/, ""));
      const wanted = asked.has("result") ? asked.get("result").split(",") : null;
      for (const box of boxes) box.checked = !wanted || wanted.includes(box.value);
      concern.value = [...concern.options].some(one => one.value === asked.get("concern")) ? asked.get("concern") : "";
      show();
      form.scrollIntoView();
    } else if (document.getElementById(target)?.closest("[hidden]")) {
      form.reset(); // a link to what the filter hides shows it
    }
  }

  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("change", () => { show(); write(); });
  form.addEventListener("reset", () => setTimeout(() => {
    const target = location.hash.slice(1);
    show();
    if (target.startsWith("filter")) write();
    else document.getElementById(target)?.scrollIntoView();
  }));
  window.addEventListener("hashchange", read);
  form.hidden = false;
  show();
  read();
})();

"use strict";
// A link from a cell opens what it leads to.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  for (let at = target; at; at = at.parentElement) {
    if (at.tagName === "DETAILS") { at.open = true; }
    at.hidden = false;
  }
  if (target) { target.scrollIntoView(); }
}
const filter = document.getElementById("filter");
const only = document.getElementById("only");
function choose() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll(".row")) {
    const titles = [...row.querySelectorAll("[title]")].map((part) => part.title).join(" ");
    const text = (row.textContent + " " + row.title + " " + titles).toLowerCase();
    const good = !row.querySelector(".bad, .doubtful");
    row.hidden = !words.every((word) => text.includes(word)) || (only.checked && good);
  }
}
filter.addEventListener("input", choose);
only.addEventListener("change", choose);
addEventListener("hashchange", reveal);
document.addEventListener("click", (event) => {
  if (event.target.classList.contains("copy")) {
    const text = event.target.parentElement.querySelector("code").textContent;
    navigator.clipboard?.writeText(text).then(() => { event.target.textContent = "copied"; });
  }
});
reveal();

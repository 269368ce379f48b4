// Starts the page: light or dark, the lists, the keys, what a link leads to, what is printed.

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function buildTheme(button) {
  const remembered = (() => {
    // Where a page may remember nothing it still works.
    try {
      return localStorage.getItem("andon-theme");
    } catch {
      return null;
    }
  })();
  if (remembered === "dark" || remembered === "light") document.documentElement.dataset.theme = remembered;
  const name = () => (button.textContent = isDark() ? "Light" : "Dark");
  button.setAttribute("aria-label", "Change between light and dark");
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("andon-theme", theme);
    } catch {
      // Then it is asked again next time.
    }
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  button.hidden = false;
  name();
}

// From one verdict to the next, by the buttons that unfold them.
function move(by) {
  const buttons = [...parts.body.querySelectorAll("button.unfold")];
  if (buttons.length === 0) return;
  const at = buttons.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : buttons.length - 1) : Math.min(Math.max(at + by, 0), buttons.length - 1);
  buttons[next].focus();
  buttons[next].scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const writes = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && (writes === parts.search || !writes)) {
    clearFilters();
    return;
  }
  if (writes || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    parts.search.focus();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
}

// A link may name a verdict: it is unfolded, on whatever page it is.
function follow() {
  const id = location.hash.slice(1);
  if (!/^[0-9a-f]{8,}$/.test(id) || !DATA.verdicts.some((verdict) => verdict.id === id)) return;
  clearFilters();
  view.page = Math.floor(matches.findIndex((verdict) => verdict.id === id) / view.size);
  view.open.add(id);
  refresh();
  document.getElementById(`detail-${id}`).previousSibling.scrollIntoView();
}

buildTheme(document.getElementById("theme"));
buildList(document.getElementById("list"));
if (DATA.verdicts.length > 0) {
  document.getElementById("devices").hidden = false;
  buildDevices(document.getElementById("device-list"));
}
document.addEventListener("keydown", onKey);
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => {
  view.size = PRINTED_MAX;
  refresh();
});
addEventListener("afterprint", () => {
  view.size = PAGE;
  refresh();
});
follow();

// What every page can do: change its colours, copy a command, and unfold itself for print.
(() => {
  "use strict";
  const root = document.documentElement;
  const say = (words) => { document.getElementById("said").textContent = words; };

  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";  // kept in memory only
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // Clipboards are closed to some pages opened from disk; a selection can be copied everywhere.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  window.emdiagCopy = async (button, text) => {
    await copy(text);
    const before = button.textContent;
    button.textContent = "Copied";
    say("Copied");
    setTimeout(() => { button.textContent = before; }, 1200);
  };
  for (const block of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      window.emdiagCopy(button, block.querySelector("code").textContent);
    });
    block.append(button);
  }

  const unfold = () => {
    const part = document.getElementById(location.hash.slice(1) || "-")?.closest("details");
    if (part) part.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });
})();

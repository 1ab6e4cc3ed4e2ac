// Light, dark, or as the system has it. A blocking script of its own, so that no page is painted in the wrong one first.
// The key and its values are those of the Django admin's switch: both switches turn one setting.

(() => {
  const root = document.documentElement;

  function kept() {
    try {
      const theme = localStorage.getItem("theme");
      return theme === "light" || theme === "dark" ? theme : "auto";
    } catch {
      return "auto"; // a browser that keeps nothing for this site
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // it holds for this page then
    }
  }

  function following(theme) {
    const other = matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark";
    const own = other === "light" ? "dark" : "light";
    return { auto: other, [other]: own, [own]: "auto" }[theme];
  }

  function show(theme) {
    root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.title = button.dataset[theme];
      button.setAttribute("aria-label", button.dataset[theme]);
    }
    root.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  }

  show(kept());
  addEventListener("storage", (event) => event.key === "theme" && show(kept()));
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const next = following(root.dataset.theme);
        keep(next);
        show(next);
      });
    }
    show(kept());
  });
})();

// Before the first paint, so that nobody sees a flash of the other scheme: what was chosen in this browser, or what the system has.
let chosen = null;
try {
  chosen = localStorage.getItem("mantine-color-scheme-value");
} catch {
  // A browser that keeps nothing has chosen nothing.
}
document.documentElement.setAttribute(
  "data-mantine-color-scheme",
  chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches) ? "dark" : "light",
);

// Hears the lab's events, and sets what is frozen.
const lab = document.querySelector("frostline-lab");
const heard = document.getElementById("heard");

lab.addEventListener("frostline:plan", ({ detail }) => {
  heard.textContent = `${detail.freeze} (${detail.frozenParameters.toLocaleString("en")} parameters)`;
});

for (const button of document.querySelectorAll("[data-freeze]")) {
  button.addEventListener("click", () => lab.setAttribute("freeze", button.dataset.freeze));
}

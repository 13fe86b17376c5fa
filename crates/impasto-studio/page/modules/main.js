// A plain page that paints an example and shows it.
const element = (id) => document.getElementById(id);
const change = (path, body) =>
  fetch(path, { method: "POST", headers: { "X-Impasto": "1", "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) })
    .then((answer) => answer.json());

let run;
element("paint").addEventListener("click", async () => {
  const { examples } = await (await fetch("/api/studio")).json();
  const said = await change("/api/runs", { content: examples[0].content.id, styles: [examples[0].style.id], recipe: { size: "256" } });
  run = said.id;
  element("state").textContent = said.error ?? "waiting";
});
element("stop").addEventListener("click", () => run && change(`/api/runs/${run}/stop`));

const events = new EventSource("/api/events");
events.addEventListener("state", (event) => {
  const told = JSON.parse(event.data);
  element("state").textContent = `${told.name}: ${told.state}, ${told.evaluation} of ${told.evaluations} ${told.error ?? ""}`;
});
events.addEventListener("preview", (event) => {
  const told = JSON.parse(event.data);
  element("picture").src = `/api/runs/${told.id}/preview/${told.revision}.jpg`;
});

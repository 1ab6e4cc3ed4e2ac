// What the pages here share: fields that somebody fills in, buttons that start something, and what is shown then.

const value = (label) => document.getElementById(label).value;
const authorization = () => ({ Authorization: `Bearer ${value("token")}` });

function show(id, text) {
  document.getElementById(id).textContent = text;
}

function add(id, text) {
  const line = document.createElement("li");
  line.textContent = text;
  document.getElementById(id).append(line);
}

function link(id, address, text) {
  Object.assign(document.getElementById(id), { href: address, textContent: text });
}

/** Runs `work` at each press of a button; what it throws is shown, as `told` puts it. */
function onPress(id, work, told = (error) => `${error.name}: ${error.message}`) {
  document.getElementById(id).addEventListener("click", async () => {
    show("state", "Working");
    show("error", "");
    try {
      await work();
      show("state", "Done");
    } catch (error) {
      show("error", told(error));
      show("state", "Failed");
    }
  });
}

// Which model answers: those of the enabled providers, by provider. The choice is kept in this browser.

const KEY = "chat-model";

export class Models {
  constructor(select, words) {
    this.select = select;
    this.words = words;
    select.addEventListener("change", () => {
      try {
        localStorage.setItem(KEY, select.value);
      } catch {
        // it holds for this page then
      }
    });
  }

  get chosen() {
    return this.select.value;
  }

  // The provider of the model that is chosen; empty where the server decides.
  get provider() {
    return this.select.selectedOptions[0]?.dataset.provider ?? "";
  }

  async load() {
    const answer = await fetch("/api/providers", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const enabled = (await answer.json()).data.filter((provider) => provider.enabled);
    const groups = enabled.map((provider) => group(provider));
    const usual = enabled.find((provider) => provider.is_default) ?? (enabled.length === 1 ? enabled[0] : null);
    this.select.replaceChildren(...(groups.length > 1 ? groups : (groups[0]?.children ?? [])));
    if (!usual || !enabled.length) this.select.prepend(new Option(this.words.defaultModel, ""));
    const options = [...this.select.options];
    const wanted = [this.#kept(), usual && usualModel(usual), options[0]?.value];
    this.select.value = wanted.find((value) => value && options.some((option) => option.value === value)) ?? "";
    this.select.disabled = options.length === 0;
  }

  #kept() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }
}

function group(provider) {
  const made = document.createElement("optgroup");
  made.label = provider.name;
  const names = [...new Set([provider.default_model, ...provider.models].filter(Boolean))];
  for (const name of names.length ? names : [""]) {
    const option = new Option(name || provider.name, name ? `${provider.name}/${name}` : provider.name);
    option.dataset.provider = provider.name;
    made.append(option);
  }
  return made;
}

function usualModel(provider) {
  const name = provider.default_model || provider.models[0];
  return name ? `${provider.name}/${name}` : provider.name;
}

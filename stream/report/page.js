// Draws the plots of the page. Colours are CSS variables, so that the page's light and dark are the plots', too.
(() => {
  const specs = JSON.parse(document.getElementById("figures").textContent);
  const coarse = matchMedia("(pointer: coarse)").matches; // a finger scrolls the page, it does not zoom a plot
  const config = { displayModeBar: false, responsive: true, showTips: false, doubleClick: "reset+autosize" };

  const colored = (value, style) => {
    if (typeof value === "string") {
      const name = /^var\((--[a-z]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => colored(each, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, colored(each, style)]));
  };

  const draw = async () => {
    const style = getComputedStyle(document.documentElement);
    for (const [name, spec] of Object.entries(specs)) {
      const place = document.getElementById(`plot-${name}`);
      const layout = { ...colored(spec.layout, style), dragmode: coarse ? false : "zoom" };
      await Plotly.react(place, colored(spec.data, style), layout, config);
    }
    document.documentElement.dataset.drawn = Object.keys(specs).length;
  };

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();

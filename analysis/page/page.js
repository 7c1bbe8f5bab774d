(() => {
  "use strict";
  const NARROW = 560; // pixels of a plot; below, labels stand above their rows
  const PAPER = 660; // pixels across a printed page of A4 or letter
  const CONFIG = {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
  };

  const figures = [...document.querySelectorAll(".plot")];

  const drawn = new Map();

  // labels at the left would leave no room for the dots
  const above = (layout) => {
    const rows = layout.meta && layout.meta.rows;
    if (!rows) return;
    layout.height += 14 * rows.length;
    layout.yaxis.showticklabels = false;
    layout.annotations = (layout.annotations || []).concat(
      rows.map((text, y) => ({
        text, x: 0, xref: "paper", xanchor: "left", y, yref: "y", yanchor: "bottom", yshift: 7,
        showarrow: false, align: "left", font: { size: 11 }, bgcolor: "rgba(255,255,255,0.7)",
      })),
    );
    layout.yaxis.range = [rows.length - 0.4, -0.9];
  };

  const roomForLegend = (layout, width) => {
    const entries = layout.meta && layout.meta.legend;
    if (!entries) return;
    const columns = Math.max(1, Math.floor(width / 230));
    const legend = 22 * Math.ceil(entries / columns) + 20;
    layout.height += legend;
    layout.legend = { ...layout.legend, yref: "container", y: 0, yanchor: "bottom" };
  };

  const laid = (spec, width) => {
    const layout = JSON.parse(JSON.stringify(spec.layout));
    if (width < NARROW) above(layout);
    roomForLegend(layout, width);
    return layout;
  };

  const draw = (place, width) => {
    const spec = drawn.get(place) || JSON.parse(document.getElementById(place.dataset.figure).textContent);
    drawn.set(place, spec);
    const layout = laid(spec, width || place.clientWidth);
    if (width) Object.assign(layout, { width, autosize: false });
    place.style.minHeight = layout.height + "px";
    Plotly.react(place, spec.data, layout, CONFIG);
    place.dataset.drawn = "yes";
  };

  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "600px 0px" },
  );
  figures.forEach((place) => seen.observe(place));

  // paper has no scrolling and no clicks: everything is drawn and open, at the width of the page
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((fold) => (fold.open = true));
    figures.forEach((place) => draw(place, Math.min(PAPER, place.closest(".wide") ? PAPER : PAPER / 2 - 20)));
  });
  addEventListener("afterprint", () => {
    opened.forEach((fold) => (fold.open = false));
    figures.forEach((place) => draw(place));
  });

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width || matchMedia("print").matches) return;
    width = innerWidth;
    drawn.forEach((_, place) => draw(place));
  });

  const select = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  document.querySelectorAll(".copy").forEach((button) => {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      const said = button.parentElement.querySelector(".copied");
      select(code);
      try {
        await navigator.clipboard.writeText(code.textContent);
        said.textContent = "Copied.";
      } catch {
        // a page opened from disk may not have a clipboard
        said.textContent = document.execCommand("copy") ? "Copied." : "Selected: press Ctrl+C.";
      }
    });
  });
})();

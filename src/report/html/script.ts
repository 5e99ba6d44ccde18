/**
 * The page's own script. It draws the charts (compiled Vega specifications in #charts) at the width of their boxes, and shows tooltips for mouse, touch and pen.
 * The method buttons filter every chart through its signal `shown`.
 */
export const SCRIPT = `
(() => {
  'use strict';
  const charts = JSON.parse(document.getElementById('charts').textContent);
  const views = new Map();
  const tip = document.querySelector('.tip');
  const buttons = [...document.querySelectorAll('.methods button')];
  const shown = () => buttons.filter((b) => b.getAttribute('aria-pressed') === 'true').map((b) => b.dataset.method);

  const showTip = (_, event, item, value) => {
    if (value === null || value === undefined || value === '') { tip.style.visibility = 'hidden'; return; }
    const rows = typeof value === 'object' ? Object.entries(value) : [['', String(value)]];
    tip.replaceChildren(...rows.map(([name, text]) => {
      const row = document.createElement('div');
      const label = document.createElement('span');
      const bold = document.createElement('b');
      label.textContent = name;
      bold.textContent = text;
      row.append(label, bold);
      return row;
    }));
    const point = event.changedTouches ? event.changedTouches[0] : event;
    const box = tip.getBoundingClientRect();
    const left = Math.max(6, Math.min(point.clientX + 14, innerWidth - box.width - 6));
    const below = point.clientY + 18;
    tip.style.left = left + 'px';
    tip.style.top = (below + box.height > innerHeight ? Math.max(6, point.clientY - box.height - 12) : below) + 'px';
    tip.style.visibility = 'visible';
  };
  addEventListener('scroll', () => { tip.style.visibility = 'hidden'; }, { passive: true });

  const widthOf = (box) => Math.max(200, Math.floor(box.clientWidth));
  const filter = (view) => { if (view.getState().signals.shown !== undefined) view.signal('shown', shown()).runAsync(); };
  const draw = async (box) => {
    const spec = charts[box.dataset.chart];
    spec.width = widthOf(box);
    const view = new vega.View(vega.parse(spec), { renderer: 'svg', container: box, hover: true, logLevel: vega.Error });
    view.tooltip(showTip);
    views.set(box, view);
    filter(view);
    await view.runAsync();
    const svg = box.querySelector('svg');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', box.dataset.alt);
  };

  for (const button of buttons) {
    button.addEventListener('click', () => {
      button.setAttribute('aria-pressed', button.getAttribute('aria-pressed') === 'true' ? 'false' : 'true');
      views.forEach(filter);
      const labels = shown();
      for (const figure of document.querySelectorAll('figure[data-method]')) figure.hidden = !labels.includes(figure.dataset.method);
    });
  }
  let pending = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => views.forEach((view, box) => {
      if (view.width() !== widthOf(box)) view.width(widthOf(box)).runAsync();
    }));
  }).observe(document.body);

  for (const button of document.querySelectorAll('button.copy')) {
    button.addEventListener('click', async () => {
      try { await navigator.clipboard.writeText(button.previousElementSibling.textContent); button.textContent = 'Copied'; }
      catch { getSelection().selectAllChildren(button.previousElementSibling); }
    });
  }
  // Charts are drawn when they come near the screen, one after another, so that the page opens at once on a phone too.
  let queue = Promise.resolve();
  const request = (box) => {
    if (box.dataset.requested) return;
    box.dataset.requested = 'true';
    queue = queue.then(() => draw(box)).then(() => new Promise((next) => setTimeout(next)));
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); request(entry.target); }
  }, { rootMargin: '800px' });
  for (const box of document.querySelectorAll('.plot')) near.observe(box);
  addEventListener('beforeprint', () => document.querySelectorAll('.plot').forEach(request));
})();
`;

// The heat map's keys: one cell is in the order of tabs, arrows move, Shift finds the next cell that is not empty,
// Ctrl with left or right goes to another day. Without this every cell is a link of its own.
(() => {
  'use strict';
  const cells = () => [...document.querySelectorAll('[data-heat] a')];
  const rove = () => {
    const all = cells();
    const one = all.find((cell) => cell === document.activeElement) || all.find((cell) => cell.hasAttribute('aria-current')) || all[0];
    all.forEach((cell) => { cell.tabIndex = cell === one ? 0 : -1; });
  };
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -12, ArrowDown: 12 };
  document.addEventListener('keydown', (event) => {
    const here = event.target.closest('[data-heat] a');
    const by = step[event.key];
    if (!here || !by || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (event.ctrlKey) {
      document.querySelector(by < 0 ? '[data-heat-prev]' : '[data-heat-next]')?.click();
      return;
    }
    let at = Number(here.id.slice(5)) + by;
    for (; at >= 0 && at < 288; at += by) {
      const cell = document.getElementById(`cell-${at}`);
      if (cell && !(event.shiftKey && cell.textContent === '')) { cell.focus(); rove(); return; }
    }
  });
  addEventListener('DOMContentLoaded', rove);
  document.addEventListener('htmx:afterSettle', rove);
})();

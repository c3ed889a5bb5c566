'use strict';
for (const hidden of document.querySelectorAll('.filter, .curl button, .script')) hidden.hidden = false;

// The filter: every word has to be there.
const form = document.querySelector('.filter');
const items = [...document.querySelectorAll('[data-item]')];
function filter() {
  const words = form.querySelector('input').value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = form.querySelector('select').value;
  const seen = { operation: 0, violation: 0 };
  const all = { operation: 0, violation: 0 };
  for (const item of items) {
    const states = item.dataset.states.split(' ');
    const shown = words.every((word) => item.dataset.text.includes(word)) && (!state || states.includes(state));
    item.hidden = !shown;
    all[item.dataset.item] += 1;
    seen[item.dataset.item] += shown ? 1 : 0;
  }
  for (const parent of document.querySelectorAll('.group, .matrix tbody')) {
    parent.hidden = !parent.querySelector('[data-item]:not([hidden])');
  }
  for (const section of document.querySelectorAll('section')) {
    const none = section.querySelector('.none');
    if (none) none.hidden = Boolean(section.querySelector('[data-item]:not([hidden])'));
  }
  form.querySelector('output').value =
    `${seen.operation} of ${all.operation} operations, ${seen.violation} of ${all.violation} violations`;
}
if (form) {
  form.addEventListener('input', filter);
  form.addEventListener('submit', (event) => event.preventDefault());
  // A link to what the filter hides shows it.
  window.addEventListener('hashchange', () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !target.closest('[hidden]')) return;
    form.reset();
    filter();
    target.scrollIntoView();
  });
  filter();
}

// Copying; where the browser forbids it, the text is selected instead.
for (const button of document.querySelectorAll('.curl button')) {
  button.addEventListener('click', async () => {
    const text = button.closest('.curl').querySelector('pre');
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
}

// One tooltip for all signs, for pointer and keyboard. Arrow keys walk; Tab leaves.
const tip = document.createElement('div');
tip.className = 'tip';
tip.setAttribute('aria-hidden', 'true');
tip.hidden = true;
document.body.append(tip);
function show(mark) {
  tip.textContent = mark.dataset.tip;
  tip.hidden = false;
  const place = mark.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = Math.min(place.left + place.width / 2 - own.width / 2, innerWidth - own.width - 8);
  const above = place.top - own.height - 6;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above > 0 ? above : place.bottom + 6}px`;
}
function hide() { tip.hidden = true; }
const marks = [...document.querySelectorAll('.matrix .mark')];
let stop = marks[0];
marks.forEach((mark) => { mark.removeAttribute('title'); mark.tabIndex = mark === stop ? 0 : -1; });
function next(mark, key) {
  const open = marks.filter((other) => !other.closest('[hidden]'));
  const here = open.indexOf(mark);
  if (key === 'ArrowRight') return open[here + 1];
  if (key === 'ArrowLeft') return open[here - 1];
  const row = mark.closest('tr');
  const x = mark.getBoundingClientRect().left;
  const away = (other) => Math.abs(other.getBoundingClientRect().left - x);
  const rows = [...new Set(open.map((other) => other.closest('tr')))];
  const target = rows[rows.indexOf(row) + (key === 'ArrowDown' ? 1 : -1)];
  return target && open.filter((other) => other.closest('tr') === target).sort((a, b) => away(a) - away(b))[0];
}
const matrix = document.querySelector('.matrix');
if (matrix) {
  matrix.addEventListener('mouseover', (event) => {
    const mark = event.target.closest('.mark');
    if (mark) show(mark); else hide();
  });
  matrix.addEventListener('mouseleave', hide);
  matrix.addEventListener('focusin', (event) => {
    const mark = event.target.closest('.mark');
    if (!mark) return;
    stop.tabIndex = -1;
    stop = mark;
    stop.tabIndex = 0;
    show(mark);
  });
  matrix.addEventListener('focusout', hide);
  matrix.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hide();
    const mark = event.target.closest('.mark');
    if (!mark || !['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown'].includes(event.key)) return;
    event.preventDefault();
    const target = next(mark, event.key);
    if (target) target.focus();
  });
  window.addEventListener('scroll', hide, { passive: true });
}

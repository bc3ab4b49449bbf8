// What the pages do with script. Without it every page and every action works all the same.
'use strict';
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // htmx makes no code from text, and keeps no copy of a page in the browser's storage.
  Object.assign(htmx.config, { allowEval: false, allowScriptTags: false, includeIndicatorStyles: false, historyCacheSize: 0, scrollIntoViewOnBoost: false });

  // The tape moves under the needle once a minute; the clock on the needle follows.
  const tape = $('[data-now]');
  const drift = () => {
    if (!tape) return;
    const minutes = Math.floor((Date.now() - began) / 60000);
    $$('[data-drift]').forEach((part) => part.setAttribute('x', `${-minutes / 14.4}%`));
    const now = new Date(Number(tape.dataset.now) + Date.now() - began);
    const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: tape.dataset.zone });
    $$('[data-clock]').forEach((text) => { text.textContent = clock.format(now); });
  };
  const began = Date.now();
  setInterval(drift, 5000);

  // busy: somebody reads or writes here, so nothing is replaced under their hands.
  const busy = () => document.hidden || !getSelection().isCollapsed ||
    $('main details[open].more, main input:focus:not([type=search]), main select:focus, main textarea:focus, dialog[open]');

  // Lists ask again every few seconds while they are visible and untouched.
  document.addEventListener('htmx:beforeRequest', (event) => {
    if (event.detail.elt.matches('[data-refresh]') && busy()) event.preventDefault();
  });
  document.addEventListener('htmx:beforeSwap', (event) => { remember(); leave(event.detail.target); });
  document.addEventListener('htmx:afterSwap', () => { fade(); back(); });

  // What is asked again stays as its reader left it: what was opened is open, what had the focus has it.
  let opened = [], focused = null;
  const name = (e) => `${e.tagName} ${e.id || e.closest('details')?.id || e.getAttribute('href') || e.textContent.trim()}`;
  const leave = (part) => {
    const here = document.activeElement;
    opened = $$('details[id][open]', part).map((open) => open.id);
    focused = part.contains(here) && here !== part ? { name: name(here), at: $$(here.tagName, part).filter((e) => name(e) === name(here)).indexOf(here) } : null;
  };
  const back = () => {
    opened.forEach((id) => { const details = document.getElementById(id); if (details) details.open = true; });
    if (focused && !$('main').contains(document.activeElement)) {
      const [tag] = focused.name.split(' ');
      $$(tag, $('main')).filter((e) => name(e) === focused.name)[focused.at]?.focus({ preventScroll: true });
    }
    focused = null;
  };

  // Changed digits fade; nothing else moves.
  let before = new Map();
  const remember = () => { before = new Map($$('[data-digits]').map((e) => [e.dataset.digits, e.textContent])); };
  const fade = () => $$('[data-digits]').forEach((e) => {
    if (before.has(e.dataset.digits) && before.get(e.dataset.digits) !== e.textContent) e.classList.add('changed');
  });

  // A live run: one event stream; where it cannot open, the same fragment once a second.
  const live = $('[data-live]');
  if (live) {
    let after = Number(live.dataset.after || 0);
    let source = null, poll = null, failures = 0, held = [], following = true;
    const foot = $('#log-foot');

    // tail: is the end of the log in view? Then the reader follows it.
    const tail = () => {
      const end = foot && foot.getBoundingClientRect();
      return !end || end.top < innerHeight + 120 || !$('#log-lines').contains(document.elementFromPoint(innerWidth / 2, innerHeight / 2));
    };
    const say = () => {
      if (!foot) return;
      $('[data-following]', foot).hidden = !following;
      const stopped = $('[data-stopped]', foot);
      stopped.hidden = following;
      const count = $('[data-new]', stopped);
      if (count) count.textContent = held.length;
    };
    const append = (lines) => {
      const log = $('#log-lines');
      if (!log) return;
      const stay = foot && following && foot.getBoundingClientRect().top <= innerHeight;
      for (const line of lines) {
        const id = Number(line.dataset.id);
        if (id <= after) continue;
        after = id;
        log.append(line);
      }
      while (log.children.length > 2000) log.firstElementChild.remove();
      if (stay) foot.scrollIntoView({ block: 'end' });
    };

    // take puts a fragment in its place: lines go to the end of the log, all else replaces what has its id.
    const take = (html) => {
      const box = document.createElement('template');
      box.innerHTML = html;
      remember();
      for (const part of [...box.content.children]) {
        if (part.dataset.append !== undefined) {
          const lines = [...part.children];
          if (following) append(lines); else held.push(...lines);
        } else {
          const old = part.id && document.getElementById(part.id);
          if (old && !old.contains(document.activeElement) && !$('details[open]', old)) old.replaceWith(part);
        }
      }
      fade();
      say();
      if ($('[data-done]', box.content)) finish();
    };
    const finish = () => { close(); setTimeout(() => location.reload(), 300); };
    const close = () => {
      if (source) source.close();
      source = null;
      clearInterval(poll);
      poll = null;
    };
    const ask = async () => {
      if (document.hidden) return;
      const answer = await fetch(`${live.dataset.poll}?after=${after}`, { headers: { 'X-Background': '1' } }).catch(() => null);
      if (!answer) return lost();
      if (answer.redirected || answer.status === 401 || answer.status === 403) return location.reload();
      if (answer.ok) { found(); take(await answer.text()); }
    };
    const notice = $('#live-trouble');
    const lost = () => { if (notice) notice.hidden = false; };
    const found = () => { if (notice) notice.hidden = true; };
    const open = () => {
      close();
      if (!window.EventSource) { poll = setInterval(ask, 1000); return; }
      source = new EventSource(`${live.dataset.live}?after=${after}`);
      source.addEventListener('live', (event) => { failures = 0; found(); take(event.data); });
      source.addEventListener('done', (event) => { if (event.data) take(event.data); finish(); });
      source.onerror = () => {
        failures += 1;
        if (source.readyState === EventSource.CLOSED || failures > 2) {
          lost();
          close();
          poll = setInterval(ask, 1000);
        }
      };
    };
    addEventListener('scroll', () => {
      if (!foot || document.hidden) return;
      const now = tail();
      if (now && !following) { following = true; append(held.splice(0)); }
      following = now;
      say();
    }, { passive: true });
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) open(); else close();
    });
    document.addEventListener('click', (event) => {
      if (!event.target.closest('[data-follow]')) return;
      following = true;
      append(held.splice(0));
      foot.scrollIntoView({ block: 'end' });
      say();
    });
    if (!document.hidden) open();
  }

  // Dialogs are pages of their own; the typed name frees the last resort.
  $$('[data-typed]').forEach((input) => {
    const button = $('button[type=submit]', input.form);
    const check = () => { button.disabled = input.value !== input.dataset.typed; };
    input.addEventListener('input', check);
    check();
  });
  // A choice shows only the fields that belong to it.
  $$('[data-choice]').forEach((choice) => {
    const show = () => {
      if (choice.type === 'radio' && !choice.checked) return;
      $$('[data-for]', choice.form).forEach((part) => {
        part.hidden = part.dataset.for !== '' && !part.dataset.for.split(' ').includes(choice.value);
      });
    };
    choice.addEventListener('change', show);
    show();
  });
  $$('[data-submit]').forEach((input) => input.addEventListener('change', () => input.form.requestSubmit()));
  $$('form').forEach((form) => form.addEventListener('submit', (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === 'post') { form.dataset.sent = '1'; setTimeout(() => delete form.dataset.sent, 4000); }
  }));
  $$('[data-copy]').forEach((button) => {
    button.hidden = !navigator.clipboard;
    button.addEventListener('click', () => navigator.clipboard.writeText($(button.dataset.copy).innerText));
  });

  // Keys: / finds, g and a letter goes, ? shows them, Escape closes what is open.
  const places = { o: 'overview', n: 'running', w: 'workflows', r: 'runs', p: 'options', a: 'audit', u: 'operators' };
  let going = false;
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      $$('details.more[open], details.menu[open]').forEach((open) => { open.open = false; });
      if ($('#keys')) $('#keys').hidden = true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
    if (event.key === '/') { event.preventDefault(); ($('main [data-find]') || $('[data-find]'))?.focus(); return; }
    if (event.key === '?') { const keys = $('#keys'); if (keys) keys.hidden = !keys.hidden; return; }
    const place = going && places[event.key] && $(`[data-go=${places[event.key]}]`);
    if (place) place.click();
    going = event.key === 'g';
  });
  document.addEventListener('click', (event) => {
    $$('details.more[open]').forEach((open) => { if (!open.contains(event.target)) open.open = false; });
  });
})();

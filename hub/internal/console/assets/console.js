// What the pages do by themselves: they stay current, say when the hub is away, draw
// curves, and follow the live tail. Everything else works without a script.
(function () {
  'use strict';

  // The hub, and whether it answers.
  var down = document.getElementById('down');
  var since = document.getElementById('down-since');
  function away() {
    if (!down.hidden) return;
    since.textContent = new Date().toLocaleTimeString();
    down.hidden = false;
  }
  function back() {
    if (down.hidden) return;
    down.hidden = true;
    refresh(true);
  }

  var pulse = document.getElementById('pulse');
  var beating = false;
  function beat() {
    if (!pulse || document.hidden || beating) return;
    beating = true;
    fetch(pulse.dataset.pulse, {signal: AbortSignal.timeout(8000)}).then(function (r) {
      if (r.status === 401) { location.reload(); return; }
      if (r.status === 503 || r.status >= 500) { away(); return; }
      return r.text().then(function (text) { pulse.textContent = text; back(); });
    }).catch(away).finally(function () { beating = false; });
  }

  // The live part of a page.
  function refresh(always) {
    document.querySelectorAll('[data-live]').forEach(function (el) {
      if (document.hidden || el.dataset.busy || el.contains(document.activeElement) && document.activeElement.tagName === 'INPUT') return;
      var url = new URL(el.dataset.live, location.href);
      var shown = el.querySelector('[data-round]');
      if (shown && !always) url.searchParams.set('round', shown.dataset.round);
      el.dataset.busy = 'yes';
      htmx.ajax('GET', url.pathname + url.search, {target: el, swap: 'innerHTML'}).catch(function () {}).finally(function () { delete el.dataset.busy; });
    });
    document.querySelectorAll('[data-curves]').forEach(draw);
  }
  document.addEventListener('htmx:sendError', away);
  document.addEventListener('htmx:timeout', away);
  setInterval(beat, 3000);
  setInterval(refresh, 5000);
  document.addEventListener('visibilitychange', function () { beat(); refresh(); });

  // Light and dark.
  var theme = document.getElementById('theme');
  theme.addEventListener('click', function () {
    var root = document.documentElement;
    var dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try { localStorage.setItem('theme', root.dataset.theme); } catch (e) { /* this page alone */ }
    document.querySelectorAll('[data-curves]').forEach(function (el) { el.replaceChildren(); el.plots = null; draw(el); });
  });

  // Curves.
  var charts = [
    {title: 'Copied and acknowledged, in a second', series: ['copies', 'acks']},
    {title: 'Lag and backlog, in events', series: ['lag', 'backlog']},
    {title: 'Redelivered and not yet acknowledged', series: ['redelivered']}
  ];
  function draw(el) {
    fetch(el.dataset.curves, {signal: AbortSignal.timeout(8000)}).then(function (r) {
      if (r.status !== 200) throw new Error(r.status);
      return r.json();
    }).then(function (data) {
      var colors = getComputedStyle(document.documentElement);
      if (!el.plots) {
        el.plots = charts.map(function (chart) {
          var figure = document.createElement('figure');
          var caption = document.createElement('figcaption');
          caption.textContent = chart.title;
          figure.append(caption);
          el.append(figure);
          var axis = {stroke: colors.getPropertyValue('--dim'), grid: {stroke: colors.getPropertyValue('--line'), width: 1}, ticks: {stroke: colors.getPropertyValue('--line')}};
          return new uPlot({
            width: Math.max(figure.clientWidth, 260), height: 180, scales: {y: {range: function (u, min, max) { return [0, Math.max(max || 0, 1)]; }}}, axes: [axis, axis],
            series: [{}].concat(chart.series.map(function (name, i) {
              return {label: name, stroke: colors.getPropertyValue(i ? '--c2' : '--c1'), width: 2, spanGaps: true, points: {show: false}};
            }))
          }, [[]].concat(chart.series.map(function () { return []; })), figure);
        });
      }
      charts.forEach(function (chart, i) {
        el.plots[i].setData([data.t].concat(chart.series.map(function (name) { return data[name]; })));
      });
    }).catch(function () { /* the pulse says that the hub is away */ });
  }
  addEventListener('resize', function () {
    document.querySelectorAll('[data-curves]').forEach(function (el) {
      (el.plots || []).forEach(function (plot) { plot.setSize({width: Math.max(plot.root.parentElement.clientWidth, 260), height: 180}); });
    });
  });
  document.querySelectorAll('[data-curves]').forEach(draw);

  // The live tail.
  var tail = document.getElementById('tail');
  if (tail) {
    var state = document.getElementById('tail-state');
    var left = document.getElementById('tail-left');
    var hold = document.getElementById('tail-pause');
    var held = false;
    var missed = 0;
    var source = null;
    var cell = function (text, cls) {
      var td = document.createElement('td');
      td.textContent = text;
      if (cls) td.className = cls;
      return td;
    };
    var add = function (line) {
      var tr = document.createElement('tr');
      var seq = cell('', 'num');
      if (tail.dataset.story) {
        var a = document.createElement('a');
        a.href = '/row?seq=' + encodeURIComponent(line.seq);
        a.textContent = line.seq;
        seq.append(a);
      } else seq.textContent = line.seq;
      tr.append(seq, cell(line.time), cell(line.subject), cell(line.key || ''), cell(line.bytes, 'num'));
      if (tail.dataset.payload) tr.append(cell(line.payload || '', 'wrap'));
      tail.prepend(tr);
      while (tail.rows.length > 200) tail.deleteRow(-1);
    };
    var follow = function () {
      source = new EventSource(tail.dataset.stream);
      source.addEventListener('open', function () { state.textContent = 'Following.'; });
      source.addEventListener('error', function () {
        state.textContent = source.readyState === EventSource.CLOSED ? 'The hub refused: too many tails are open, or the name is wrong.' : 'Not connected; trying again.';
      });
      source.addEventListener('trouble', function (e) { state.textContent = JSON.parse(e.data); });
      source.addEventListener('batch', function (e) {
        var batch = JSON.parse(e.data);
        if (held) missed += batch.lines.length + batch.left_out;
        else {
          batch.lines.forEach(add);
          missed += batch.left_out;
          state.textContent = 'Following, at message ' + batch.last + '.';
        }
        left.textContent = missed;
      });
    };
    hold.addEventListener('click', function () {
      held = !held;
      hold.setAttribute('aria-pressed', held);
      state.textContent = held ? 'Held.' : 'Following.';
    });
    follow();
  }
})();

// Sets the theme that was chosen before anything is painted. Without a choice the
// system's holds.
(function () {
  'use strict';
  try {
    var chosen = localStorage.getItem('theme');
    if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
  } catch (e) { /* storage is off: the system's theme holds */ }
})();

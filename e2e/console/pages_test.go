package console_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every page is complete in a browser: nothing serious for axe-core, no complaint of a
// script or of the content security policy, no request to anywhere else, and nothing wider
// than the window.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.five()
	s.page.Go(s.url + "/letters")
	s.page.Await(`document.querySelectorAll('.group').length >= 2 || (location.reload(), false)`)
	s.look(false, []page{
		{"overview", "/", `document.querySelectorAll('tbody tr').length === 5`},
		{"service", "/services/search", `document.querySelectorAll('canvas').length === 3`},
		{"row", "/row?entity=user&key=3&payload=show", `document.querySelector('.fates .tag')`},
		{"letters", "/letters", `document.querySelector('.bars rect')`},
		{"letter", "/letters/1?payload=show", `document.querySelector('table')`},
		{"playground", "/playground?entity=user&filter=data.n%3E1&fields=id", `document.querySelectorAll('tbody tr').length > 5`},
		{"tail", "/tail", `document.getElementById('tail-state').textContent.startsWith('Following')`},
		{"confirm", "/do/rewind?service=sharing&to=1", `document.querySelector('form[method=post]')`},
		{"failure", "/services/nobody", `document.querySelector('.bad.box')`},
	})
	// The rules would find a fault.
	s.page.Run(`document.getElementById('main').append(new Image())`, nil)
	if found := s.faults(); len(found) == 0 {
		t.Error("axe finds nothing wrong with an image without a text")
	}
	for _, request := range s.page.Requests() {
		if !strings.HasPrefix(request, s.url+"/") && request != "about:blank" {
			t.Errorf("a page asked for %s", request)
		}
	}
}

// page is a page of the console, and what says that it is complete.
type page struct{ name, path, ready string }

// look checks pages, light and dark, in a wide and a narrow window, and makes pictures of
// them. thousand says that there are a thousand services.
func (s *stage) look(thousand bool, pages []page) {
	s.Helper()
	of := ""
	if thousand {
		of = "1000-"
	}
	for _, look := range []struct {
		scheme string
		width  int
	}{{"light", 1280}, {"dark", 1280}, {"dark", 390}} {
		s.page.Look(look.width, 900, look.scheme)
		for _, p := range pages {
			s.page.Go(s.url + p.path)
			s.page.Await(p.ready)
			s.check(fmt.Sprintf("%s%s %s %d", of, p.name, look.scheme, look.width))
			if look.width < 600 {
				s.picture(of + p.name + "-narrow")
			} else {
				s.picture(of + p.name + "-" + look.scheme)
			}
		}
	}
}

// picture writes a picture of the page that is open where somebody wants to have them.
func (s *stage) picture(name string) {
	s.Helper()
	if dir := os.Getenv("REPLHUB_PICTURES"); dir != "" {
		s.page.Picture(filepath.Join(dir, name+".webp"))
	}
}

// check looks for faults of the page that is open.
func (s *stage) check(name string) {
	s.Helper()
	for _, text := range s.page.Complaints() {
		if !strings.Contains(name, "failure") || !strings.Contains(text, "404") {
			s.Errorf("%s: %s", name, text)
		}
	}
	var over int
	s.page.Run(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over)
	if over > 0 {
		s.Errorf("%s: %d pixels wider than the window", name, over)
	}
	for _, fault := range s.faults() {
		s.Errorf("%s: %s", name, fault)
	}
	s.page.Complaints() // axe's own
}

// faults are what axe-core calls serious or critical.
func (s *stage) faults() (faults []string) {
	s.Helper()
	s.page.Run(axe+"; void 0", nil)
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	s.page.Run(`axe.run(document, {resultTypes: ['violations']}).then(function (r) { return r.violations; })`, &found)
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			told, err := json.Marshal(v.Nodes)
			if err != nil {
				s.Fatal(err)
			}
			faults = append(faults, fmt.Sprintf("axe: %s (%s): %s\n%.600s", v.ID, v.Impact, v.Help, told))
		}
	}
	return faults
}

// A row's story says what became of each of its events, for every service: of an older event
// when it is opened, and of further services when they are asked for.
func TestRowOfManyServices(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i := range 30 {
		s.call(fmt.Sprintf("register.s%02d", i), `{"entities":["user"]}`)
	}
	s.publish("db.user.create", `{"id":"2"}`)
	s.publish("db.user.update", `{"id":"2"}`)
	s.page.Go(s.url + "/row?entity=user&key=2")
	// htmx takes what it has swapped in for new until its buttons work.
	s.page.Await(`document.querySelectorAll('.fates .tag').length === 25 && !document.querySelector('.htmx-added')`)
	s.page.Run(`document.querySelector('.more button').click()`, nil)
	s.page.Await(`document.querySelectorAll('.fates .tag').length === 30 && !document.querySelector('.more')`)
	s.page.Run(`document.querySelectorAll('.event summary')[1].click()`, nil)
	s.page.Await(`document.querySelectorAll('.event')[1].querySelectorAll('.fates .tag').length === 25`)
	s.check("row of many services")
}

// The switch between light and dark holds on the next page, and a page that refreshes
// itself does not jump.
func TestThemeAndRefresh(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.five()
	s.page.Go(s.url + "/")
	s.page.Run(`document.getElementById('theme').click()`, nil)
	s.page.Go(s.url + "/letters")
	s.page.Await(`document.documentElement.dataset.theme === 'dark' && getComputedStyle(document.body).backgroundColor === 'rgb(17, 23, 29)'`)
	s.page.Go(s.url + "/")
	s.page.Run(`window.shift = 0; new PerformanceObserver(function (l) { l.getEntries().forEach(function (e) { shift += e.value; }); }).observe({type: 'layout-shift', buffered: true}); window.first = document.querySelector('[data-round]').dataset.round`, nil)
	s.call("register.later", `{"entities":["user"]}`)
	s.page.Await(`document.querySelector('[data-round]').dataset.round !== first && document.getElementById('s-later')`)
	var shift float64
	s.page.Run(`shift`, &shift)
	if shift > 0.1 {
		t.Errorf("layout shift %f", shift)
	}
}

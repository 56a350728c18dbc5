//go:build long

package console_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/testenv/browser"
)

// At a thousand services the pages are complete too, and ten open ones take less than 5 % of
// a core, of the hub and its server together.
func TestAThousandServices(t *testing.T) {
	s := newStage(t)
	var group errgroup.Group
	group.SetLimit(8)
	for i := range 1000 {
		group.Go(func() error {
			entities := fmt.Sprintf(`{"entities":["user","e%d","f%d"]}`, i%7, i%30)
			_, err := s.nc.Request(fmt.Sprintf("replhub.register.s%04d", i), []byte(entities), time.Minute)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	s.publish("db.user.create", `{"id":"1"}`)
	for i := range 60 {
		s.call(fmt.Sprintf("register.s%04d", i), fmt.Sprintf(`{"interests":[{"entity":"user","filter":"data.missing > %d"}]}`, i))
	}
	s.publish("db.user.create", `{"id":"2"}`)

	const while = time.Minute
	idle := s.cost(while)
	b := browser.Start(t)
	for i := range 10 {
		p := b.Open(t)
		p.Go(s.url + "/?page=" + strconv.Itoa(i+1))
		p.Await(`document.querySelectorAll('tbody tr').length > 10`)
		// The browser must not take the tab for hidden.
		p.Run(`Object.defineProperty(document, 'hidden', {get: function () { return false; }})`, nil)
	}
	open := s.cost(while)
	t.Logf("a core without a page: %.1f %%; with ten open pages: %.1f %%", 100*idle, 100*open)
	if open-idle > 0.05 {
		t.Errorf("ten open pages take %.1f %% of a core", 100*(open-idle))
	}
	s.page.Go(s.url + "/letters")
	s.page.Await(`document.querySelectorAll('.group').length === 50 || (location.reload(), false)`)
	s.look(true, []page{
		{"overview", "/", `document.querySelectorAll('tbody tr').length === 50 && document.getElementById('s-s0000')`},
		{"service", "/services/s0500", `document.querySelectorAll('canvas').length === 3`},
		{"row", "/row?entity=user&key=2", `document.querySelectorAll('.fates .tag').length === 25`},
		{"letters", "/letters", `document.querySelectorAll('.group').length === 50 && document.querySelector('[rel=next]')`},
		{"letter", "/letters/1?payload=show", `document.querySelector('table')`},
		{"playground", "/playground?entity=user&filter=data.id%3D%3D%221%22&fields=id", `document.querySelectorAll('tbody tr').length >= 2`},
		{"tail", "/tail?service=s0500", `document.getElementById('tail-state').textContent.startsWith('Following')`},
		{"confirm", "/do/rewind?service=s0500&to=1", `document.querySelector('form[method=post]')`},
		{"failure", "/services/s9999", `document.querySelector('.bad.box')`},
	})
	// The buttons behind the first page lead to the rest.
	s.page.Go(s.url + "/letters?page=2")
	s.page.Await(`document.querySelectorAll('.group').length === 10 && document.querySelector('[rel=prev]')`)
	s.page.Go(s.url + "/row?entity=user&key=2")
	s.page.Await(`document.querySelectorAll('.fates .tag').length === 25 && !document.querySelector('.htmx-added')`)
	s.page.Run(`document.querySelector('.more button').click()`, nil)
	s.page.Await(`document.querySelectorAll('.fates .tag').length === 50`)
}

// cost is the share of a core that the hub's process takes in a time.
func (s *stage) cost(while time.Duration) float64 {
	s.Helper()
	ticks := func() float64 {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Pid()))
		if err != nil {
			s.Fatal(err)
		}
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		user, err := strconv.ParseFloat(fields[11], 64)
		if err != nil {
			s.Fatal(err)
		}
		system, err := strconv.ParseFloat(fields[12], 64)
		if err != nil {
			s.Fatal(err)
		}
		return user + system
	}
	before, began := ticks(), time.Now()
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.Context().Done():
		s.Fatal(s.Context().Err())
	}
	return (ticks() - before) / 100 / time.Since(began).Seconds()
}

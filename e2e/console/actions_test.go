package console_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every action of the pages, clicked through its confirmation.
func TestEveryAction(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.five()
	act := func(page, action, says, then string) {
		t.Helper()
		s.page.Go(s.url + page)
		s.page.Await(`document.querySelector('form[action="/do/` + action + `"]') || (location.reload(), false)`)
		s.page.Run(`var to = document.querySelector('input[name=to]'); if (to) to.value = '1'`, nil)
		s.page.Click(`form[action="/do/` + action + `"] button`)
		s.page.Await(`document.body.innerText.includes(` + quote(says) + `)`)
		// The confirmation by keyboard alone.
		s.page.Run(`window.stays = true; document.querySelector('form[method=post][action^="/do/"] button').focus()`, nil)
		s.page.Press("Enter", 13)
		s.page.Await(`!window.stays && document.readyState === 'complete' && document.body.innerText.includes(` + quote(then) + `)`)
	}
	act("/services/sharing", "pause", "delivers nothing to the workers of sharing", "are paused until")
	s.page.Go(s.url + "/services/sharing")
	act("/services/sharing", "resume", "get deliveries again at once", "The workers of sharing run.")
	act("/services/sharing", "rewind", "events will come to the workers of sharing again", "come again to the workers of sharing")
	act("/services/sharing", "backfill", "is asked for all rows", "serves")
	act("/letters?service=application", "remove-group", "Nobody receives these events any more", "are gone")
	s.call("register.application", `{"interests":[{"entity":"user"}]}`)
	act("/letters?service=application", "redrive-group", "go back into the lane of application", "went back into the lane")
	act("/services/application", "redrive", "leave the dead letters", "went back into the lane")
	act("/playground?entity=user", "publish", "is stored, and copied", "of ingest")
	s.call("unregister.billing", `{}`)
	act("/services/billing", "drop", "The stream SUB_billing is deleted", "are gone")

	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"pause", "resume", "rewind", "redrive-group", "remove-group", "redrive", "publish", "drop"} {
		if !strings.Contains(string(log), `msg="an action was done"`) || !strings.Contains(string(log), "action="+action+" who=") {
			t.Errorf("the log does not have %s", action)
		}
	}
}

func quote(s string) string { return "'" + s + "'" }

// A page says that its hub is away, and goes on when it is back.
func TestHubIsKilledWhileAPageIsOpen(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.five()
	s.page.Go(s.url + "/")
	s.page.Await(`document.getElementById('s-sharing') && document.getElementById('down').hidden`)
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.page.Await(`!document.getElementById('down').hidden && document.body.innerText.includes('The hub does not answer since')`)
	s.page.Await(`document.getElementById('s-sharing')`) // what was shown stays
	s.start()
	s.page.Await(`document.getElementById('down').hidden && document.getElementById('pulse').textContent.startsWith('ready')`)
	s.call("register.later", `{"entities":["user"]}`)
	s.page.Await(`document.getElementById('s-later')`)

	s.page.Go(s.url + "/tail")
	s.page.Await(`document.getElementById('tail-state').textContent.startsWith('Following')`)
	s.publish("db.user.create", `{"id":"seen"}`)
	s.page.Await(`document.getElementById('tail').textContent.includes('seen')`)
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.page.Await(`document.getElementById('tail-state').textContent.includes('trying again') && !document.getElementById('down').hidden`)
	s.start()
	s.page.Await(`document.getElementById('tail-state').textContent.startsWith('Following, at') && document.getElementById('down').hidden`)
}

package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func TestUnavailableRemembersWhoWaits(t *testing.T) {
	a := NewUnavailable()
	say := func(service, body string) {
		a.Hear(&nats.Msg{Subject: contract.SubjectUnavailable + service, Data: []byte(body)})
	}
	say("sharing", `{"instance":"b","since":"2026-01-02T03:04:05Z","attempts":7,"error":"connection refused"}`)
	say("sharing", `{"instance":"a","attempts":1,"error":"`+strings.Repeat("x", 1000)+`"}`)
	say("sharing", `{"instance":"no spaces"}`)
	say("sharing", `no JSON`)
	say("No Service", `{"instance":"c"}`)
	say("application", `{"instance":"d"}`)
	sharing, err := subjects.ParseName("sharing")
	if err != nil {
		t.Fatal(err)
	}
	got := a.of(sharing)
	if len(got) != 2 || got[0].Instance != "a" || len(got[0].Error) > contract.MaxUnavailableError+len("…") ||
		got[1].Attempts != 7 || got[1].Error != "connection refused" || got[1].Since.IsZero() {
		t.Errorf("%+v", got)
	}
	say("sharing", `{"instance":"b","over":true}`)
	if got := a.of(sharing); len(got) != 1 {
		t.Errorf("after the end of one %+v", got)
	}
	a.forget("sharing", time.Now().Add(unavailableTTL+time.Second))
	if len(a.told) != 1 || a.count != 1 {
		t.Errorf("words without an end: %+v", a.told)
	}
	for n := range maxUnavailable + 10 {
		say("sharing", fmt.Sprintf(`{"instance":"i%d"}`, n))
	}
	if n := len(a.of(sharing)); n != maxUnavailable-1 || a.count != maxUnavailable {
		t.Errorf("%d and %d words", n, a.count)
	}
}

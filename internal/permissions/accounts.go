package permissions

import (
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Names of the two accounts.
const (
	AccountHub      = "REPLHUB"
	AccountServices = "SERVICES"
	// DomainServices is the JetStream domain under which services ask the hub's
	// account: their own account has no JetStream.
	DomainServices = "replhub"
)

// Share is a subject of one account that another may use.
type Share struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	// Stream says that messages flow from the owner; otherwise requests flow to it.
	Stream bool `json:"stream,omitempty"`
	// Many says that a request may have several answers.
	Many bool `json:"many,omitempty"`
	// As is the subject in the account that uses it, where that is another.
	As string `json:"as,omitempty"`
}

func (s Share) kind() string {
	if s.Stream {
		return "stream"
	}
	return "service"
}

// Account is what an account exports to the other one, and imports from it.
type Account struct {
	Name    string  `json:"name"`
	Other   string  `json:"other"`
	Exports []Share `json:"exports"`
	Imports []Share `json:"imports"`
}

// Accounts are the account of the hub, with its operators and observers, and that
// of the services.
//
// The hub works in an account of its own, the services in another. A request then
// crosses by an import, and the server delivers the answer into the account that
// asked, whatever its reply subject is. In one account, the server publishes the
// answer to the reply subject as if it were an event, a verb, or a request to
// another's consumer: permissions are not asked for a reply subject.
func Accounts() (hub, services Account) {
	hub = Account{Name: AccountHub, Other: AccountServices, Exports: sharedByHub(), Imports: sharedByServices()}
	services = Account{Name: AccountServices, Other: AccountHub, Exports: sharedByServices(), Imports: sharedByHub()}
	return hub, services
}

// sharedByHub is what services use of the hub's account.
func sharedByHub() []Share {
	shares := make([]Share, 0, 32)
	for _, op := range subjects.Ops() {
		shares = append(shares, Share{Name: "publish " + op.String(), Subject: "db.*." + op.String(), Many: true})
	}
	for _, verb := range instanceVerbs() {
		shares = append(shares, Share{Name: "verb " + verb, Subject: subjects.Control(verb, subjects.Name{}) + ".*"})
	}
	shares = append(shares,
		Share{Name: "verb " + contract.VerbPause, Subject: subjects.Control(contract.VerbPause, subjects.Name{}) + ".*"},
		Share{Name: "verb " + contract.VerbPolicy, Subject: subjects.Control(contract.VerbPolicy, subjects.Name{}) + ".*"},
		Share{Name: "outages", Subject: contract.SubjectUnavailable + "*"},
		Share{Name: "dead letters", Subject: "dlq.*.*.*"},
		Share{Name: "detached", Subject: subjectDetached + "*", Stream: true},
	)
	for _, request := range []struct {
		name, subject string
		many          bool
	}{
		{"stream info", "STREAM.INFO.*", false},
		{"read ingest", requestReadIngest, false}, // for captures; only their users may
		{"consumer info", "CONSUMER.INFO.*.*", false},
		{"unpin", "CONSUMER.UNPIN.*.*", false},
		{"next", "CONSUMER.MSG.NEXT.*.*", true},
	} {
		shares = append(shares, Share{
			Name: request.name, Subject: apiPrefix("") + request.subject, Many: request.many, As: apiPrefix(DomainServices) + request.subject,
		})
	}
	for i, subject := range acknowledgements("*") {
		shares = append(shares, Share{Name: []string{"acknowledge", "acknowledge v2"}[i], Subject: subject})
	}
	return shares
}

// sharedByServices is what the hub uses of the services' account.
func sharedByServices() []Share {
	return []Share{{Name: "rows", Subject: contract.SubjectSnapshot + "*", Many: true}}
}
